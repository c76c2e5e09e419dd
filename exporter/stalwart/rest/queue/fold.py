"""Sums of the queue, page by page; no message is kept."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET

from exporter.errors import PayloadError
from exporter.model.queue import LIMITERS, FailureReason, QueueSnapshot, RecipientStatus
from exporter.stalwart.common.queue_sums import MAX_DOMAINS, MAX_QUEUES, QueueSums
from exporter.stalwart.common.queue_tallies import UNKNOWN
from exporter.stalwart.common.timestamps import UnreadableStamp
from exporter.stalwart.events.failures import classify_failure
from exporter.stalwart.rest.queue.failure_counts import Failure, count_flat_failures, count_nested_failures
from exporter.stalwart.rest.queue.recipients import R, Recipients
from exporter.stalwart.rest.queue.wire import (
    ABSENT,
    NEVER,
    SCHEDULED,
    Domain,
    FlatRecipient,
    Message,
    NestedRecipient,
    QueuePage,
    RawPage,
    StatusDetail,
    parse_messages,
    parse_page,
    parse_raw_page,
)

_BATCH = 1024
"""Messages processed together; few enough to fit into the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageResult:
    """
    What a walk needs from a page.

    Attributes:
        items: The number of messages on the page, including those past a limit.
        first_id: ``None`` for an empty page.
        last_id: ``None`` for an empty page.
        total: As reported by the server; ``None`` if it does not report it.
        running: Whether the queue is running; ``None`` if the server does not report it.
    """

    items: int
    first_id: int | None
    last_id: int | None
    total: int | None
    running: bool | None


class QueueFold:
    """
    The sums of a queue, fed page by page.

    Contract: Stalwart v0.10-v0.15, ``GET /api/queue/messages?values=1``; tests/recordings/rest-0.12.5/exchanges.json
    and tests/recordings/rest-0.15.5/exchanges.json.
    """

    def __init__(self, taken_at: datetime, *, max_domains: int = MAX_DOMAINS, max_queues: int = MAX_QUEUES) -> None:
        self._sums = QueueSums(taken_at, max_domains=max_domains, max_queues=max_queues)

    @property
    def messages(self) -> int:
        """The number of messages counted so far."""
        return self._sums.messages

    def feed(self, body: bytes, limit: int | None = None) -> PageResult:
        """
        Count the messages of a page, at most the first *limit*.

        Raises `PayloadError`, after which the sums are invalid.
        """
        with _collector_paused():
            return self._feed(body, limit)

    def _feed(self, body: bytes, limit: int | None) -> PageResult:
        # A function of its own, so that the page is freed before the collector is enabled.
        page = parse_page(body)
        self._add(page.items if limit is None else page.items[:limit], 0)
        ids = (page.items[0].id, page.items[-1].id) if page.items else (None, None)
        return self._result(page, *ids)

    def feed_in_parts(self, body: bytes, limit: int | None = None) -> Iterator[PageResult | None]:
        """Count a large page in steps of a few milliseconds: yields ``None`` after each, then the result."""
        page = parse_raw_page(body)
        first_id = last_id = None
        start = 0
        for part in parse_messages(page):
            self._add(part if limit is None else part[: max(0, limit - start)], start)
            first_id = part[0].id if first_id is None else first_id
            last_id = part[-1].id
            start += len(part)
            yield None
        yield self._result(page, first_id, last_id)

    def finish(self, *, truncated: bool) -> QueueSnapshot:
        """Return the sums; *truncated*: the queue is longer than the walk."""
        return self._sums.snapshot(truncated=truncated)

    def _result(self, page: QueuePage | RawPage, first_id: int | None, last_id: int | None) -> PageResult:
        if page.status is not None:
            self._sums.running = page.status
        return PageResult(
            items=len(page.items), first_id=first_id, last_id=last_id, total=page.total, running=page.status
        )

    def _add(self, messages: Sequence[Message], start: int) -> None:
        # Columns instead of rows: comprehensions, counters and sorts then do most of the work in C.
        try:
            self._sums.ages.add([message.created for message in messages])
        except UnreadableStamp as error:
            raise PayloadError(f"data.items[{start + error.index}].created: {error}") from error
        self._sums.messages += len(messages)
        self._sums.size_bytes += sum([message.size for message in messages])
        for first in range(0, len(messages), _BATCH):
            rest = messages[first : first + _BATCH]
            # The second pass gets what the first leaves; a server writes only one shape, so it is usually empty.
            passes = (self._add_flat, self._add_nested)
            for add in passes if rest[0].domains is UNSET else reversed(passes):
                rest = add(rest) if rest else rest
            if rest:
                index = next(index for index, message in enumerate(messages, start) if message is rest[0])
                raise PayloadError(f"data.items[{index}].recipients: missing")
        self._add_unknown("recipient_domain", self._sums.domains.settle())

    def _add_flat(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Count the recipients of messages in the shape of v0.13 and later; return the messages of another shape."""
        found = Recipients[FlatRecipient]()
        add_scheduled, add_deferred = found.scheduled.append, found.deferred.append
        add_text = found.deferred_texts.append
        for message in messages:
            for recipient in message.recipients:
                status = recipient.status
                if type(status) is not StatusDetail:
                    if status == SCHEDULED:
                        add_scheduled(recipient)
                    else:
                        found.strange.append(recipient)
                elif (text := status.temp_fail) is not UNSET:
                    add_deferred(recipient)
                    add_text(text)
                else:
                    found.add_settled(recipient, status)
        others: Sequence[Message] = ()
        if found.strange:
            found.strange = [recipient for recipient in found.strange if recipient is not ABSENT]
            others = [message for message in messages if type(message.recipients) is not list]
        for status_, recipients in found.by_status():
            self._add_queues(status_, [recipient.queue for recipient in recipients])
        self._add_waiting(found.scheduled)
        self._add_waiting(found.deferred)
        self._add_recipients(found, found.deferred, count_flat_failures)
        return others

    def _add_nested(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Do the same for the shape up to v0.12, where a domain's failure applies to its scheduled recipients."""
        found = Recipients[NestedRecipient]()
        untried: list[Domain] = []
        deferred: list[Domain] = []
        others: list[Message] = []
        add_scheduled, add_deferred = found.scheduled.append, found.deferred.append
        add_text, add_untried, add_waiting = found.deferred_texts.append, untried.append, deferred.append
        for message in messages:
            if message.domains is UNSET or type(message.recipients) is list:
                others.append(message)
                continue
            for domain in message.domains:
                for recipient in domain.recipients:
                    status = recipient.status
                    if type(status) is not StatusDetail and status == SCHEDULED:
                        status = domain.status
                    if type(status) is not StatusDetail:
                        if status == SCHEDULED:
                            add_scheduled(recipient)
                            add_untried(domain)
                        else:
                            found.strange.append(recipient)
                    elif (text := status.temp_fail) is not UNSET:
                        add_deferred(recipient)
                        add_text(text)
                        add_waiting(domain)
                    else:
                        found.add_settled(recipient, status)
        for status_, recipients in found.by_status():
            self._sums.recipients[Domain.queue, status_] += len(recipients)
        self._add_waiting(untried)
        self._add_waiting(deferred)
        self._add_recipients(found, deferred, count_nested_failures)
        return others

    def _add_queues(self, status: RecipientStatus, names: Sequence[str]) -> None:
        # There is nearly always one queue, and comparing is much cheaper than hashing.
        same = names.count(names[0]) == len(names)
        for name, count in [(names[0], len(names))] if same else Counter(names).items():
            label = self._sums.queue_names.label(name)
            self._sums.recipients[label, status] += count
            if label == UNKNOWN:
                self._add_unknown("queue", count)

    def _add_waiting(self, waiting: Sequence[FlatRecipient] | Sequence[Domain]) -> None:
        """Count attempts, overdue and expired recipients; a domain is listed once per waiting recipient."""
        attempts = [tried.retry_num for tried in waiting]
        untried = attempts.count(0)
        self._sums.attempts.add({0: untried} if untried == len(attempts) else Counter(attempts))
        overdue_before, now = self._sums.overdue_before, self._sums.taken_at
        late = [tried for tried in waiting if tried.next_retry < overdue_before or (tried.expires or NEVER) <= now]
        for tried in late:
            queue = self._sums.queue_names.label(tried.queue)
            if tried.next_retry < overdue_before:
                self._sums.overdue[queue] += 1
            if (tried.expires or NEVER) <= now:
                self._sums.expired[queue] += 1

    def _add_recipients(
        self,
        found: Recipients[R],
        deferred: Sequence[FlatRecipient] | Sequence[Domain],
        count_failures: Callable[[Sequence[str]], Counter[Failure]],
    ) -> None:
        """Count domains and failures; *deferred* has the next attempts of the recipients in temporary failure."""
        for status, recipients in found.by_status():
            self._sums.domains.add(status, [recipient.address for recipient in recipients])
        self._add_unknown("recipient_status", len(found.strange))
        for status, texts in (
            (RecipientStatus.TEMPORARY_FAILURE, found.deferred_texts),
            (RecipientStatus.PERMANENT_FAILURE, found.rejected_texts),
        ):
            failures = count_failures(texts) if texts else Counter[Failure]()
            for (reason, code), count in failures.items():
                self._sums.failures[status, reason, code] += count
                if reason is FailureReason.UNKNOWN:
                    self._add_unknown("failure_reason", count)
            if status is RecipientStatus.TEMPORARY_FAILURE and any(reason in LIMITERS for reason, _ in failures):
                self._add_held(deferred, texts)

    def _add_held(self, deferred: Sequence[FlatRecipient] | Sequence[Domain], texts: Sequence[str]) -> None:
        """Count the recipients that the server's own limits hold back; *texts* in the order of *deferred*."""
        limiters = {text: LIMITERS.get(classify_failure(text)[0]) for text in set(texts)}
        releases: dict[tuple[str, str], list[datetime]] = {}
        for index, text in enumerate(texts):
            if (limiter := limiters[text]) is not None:
                tried = deferred[index]
                releases.setdefault((tried.queue, limiter), []).append(tried.next_retry)
        for (queue, limiter), next_retries in releases.items():
            self._sums.held.add(self._sums.queue_names.label(queue), limiter, next_retries)

    def _add_unknown(self, name: str, count: int) -> None:
        if count:
            self._sums.unknown[name] += count


@contextmanager
def _collector_paused() -> Iterator[None]:
    """
    Disable garbage collection inside the block.

    A page creates no cycles, but tens of thousands of objects, which would trigger repeated scans of the whole process.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
