"""Sums of the queue, page by page; no message is kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from exporter.errors import PayloadError
from exporter.model.queue import LIMITERS, FailureReason, QueueSnapshot, RecipientStatus
from exporter.stalwart.common.queue_sums import MAX_DOMAINS, MAX_QUEUES, QueueSums
from exporter.stalwart.common.queue_tallies import UNKNOWN
from exporter.stalwart.common.timestamps import UnreadableStamp
from exporter.stalwart.jmap.queue.wire import NEVER, Message, Recipient, Status

T = TypeVar("T")

_STATUSES = {
    "Scheduled": RecipientStatus.SCHEDULED,
    "Completed": RecipientStatus.DELIVERED,
    "TemporaryFailure": RecipientStatus.TEMPORARY_FAILURE,
    "PermanentFailure": RecipientStatus.PERMANENT_FAILURE,
}
_REASONS = {
    "unexpectedResponse": FailureReason.UNEXPECTED_RESPONSE,
    "dnsError": FailureReason.DNS_ERROR,
    "connectionError": FailureReason.CONNECTION_ERROR,
    "tlsError": FailureReason.TLS_ERROR,
    "daneError": FailureReason.DANE_ERROR,
    "mtaStsError": FailureReason.MTA_STS_ERROR,
    "rateLimited": FailureReason.RATE_LIMITED,
    "concurrencyLimited": FailureReason.CONCURRENCY_LIMITED,
    "io": FailureReason.IO_ERROR,
}
LIMITER_TYPES = {error_type: LIMITERS[reason] for error_type, reason in _REASONS.items() if reason in LIMITERS}
_WAITING = (RecipientStatus.SCHEDULED, RecipientStatus.TEMPORARY_FAILURE)
_FAILING = (RecipientStatus.TEMPORARY_FAILURE, RecipientStatus.PERMANENT_FAILURE)


class QueueFold:
    """
    The sums of a queue, fed page by page.

    Contract: Stalwart v0.16, ``x:QueuedMessage/get``; tests/recordings/jmap-0.16.18. It does not show whether the queue
    is running.
    """

    def __init__(self, taken_at: datetime, *, max_domains: int = MAX_DOMAINS, max_queues: int = MAX_QUEUES) -> None:
        self._sums = QueueSums(taken_at, max_domains=max_domains, max_queues=max_queues)

    @property
    def messages(self) -> int:
        """The number of messages counted so far."""
        return self._sums.messages

    def feed(self, messages: Sequence[Message]) -> None:
        """Count the messages of a page. Raises `PayloadError`, after which the sums are invalid."""
        try:
            self._sums.ages.add([message.created_at for message in messages])
        except UnreadableStamp as error:
            raise PayloadError(f"x:QueuedMessage/get.list[{error.index}].createdAt: {error}") from error
        self._sums.messages += len(messages)
        self._sums.size_bytes += sum([message.size for message in messages])
        # Columns instead of rows: comprehensions and counters then do most of the work in C.
        by_type: defaultdict[str, list[tuple[str, Recipient]]] = defaultdict(list)
        for message in messages:
            for entry in message.recipients.items():
                by_type[entry[1].status.type].append(entry)
        for type_, entries in by_type.items():
            status = _STATUSES.get(type_, RecipientStatus.UNKNOWN)
            self._add(status, [recipient for _, recipient in entries])
            self._sums.domains.add(status, [address for address, _ in entries])
        self._sums.unknown["recipient_domain"] += self._sums.domains.settle()

    def finish(self, *, truncated: bool) -> QueueSnapshot:
        """Return the sums; *truncated*: the queue is longer than the walk."""
        return self._sums.snapshot(truncated=truncated)

    def _add(self, status: RecipientStatus, recipients: Sequence[Recipient]) -> None:
        for name, count in _counted([recipient.queue_name for recipient in recipients]).items():
            label = self._sums.queue_names.label(name)
            self._sums.recipients[label, status] += count
            if label == UNKNOWN:
                self._sums.unknown["queue"] += count
        if status in _WAITING:
            self._sums.attempts.add(_counted([recipient.retry_count for recipient in recipients]))
            self._add_late(recipients)
        if status in _FAILING:
            self._add_failures(status, [recipient.status for recipient in recipients])
        if status is RecipientStatus.TEMPORARY_FAILURE:
            self._add_held(recipients)
        if status is RecipientStatus.UNKNOWN:
            self._sums.unknown["recipient_status"] += len(recipients)

    def _add_late(self, waiting: Sequence[Recipient]) -> None:
        overdue_before, now = self._sums.overdue_before, self._sums.taken_at
        for recipient in waiting:
            if recipient.retry_due < overdue_before:
                self._sums.overdue[self._sums.queue_names.label(recipient.queue_name)] += 1
            expires_at = NEVER if recipient.expires is None else recipient.expires.expires_at or NEVER
            if expires_at <= now:
                self._sums.expired[self._sums.queue_names.label(recipient.queue_name)] += 1

    def _add_held(self, deferred: Sequence[Recipient]) -> None:
        """Count the recipients that the server's own limits hold back."""
        releases: dict[tuple[str, str], list[datetime]] = {}
        for recipient in deferred:
            limiter = LIMITER_TYPES.get(recipient.status.error_type or "")
            if limiter is not None:
                releases.setdefault((recipient.queue_name, limiter), []).append(recipient.retry_due)
        for (queue, limiter), next_retries in releases.items():
            self._sums.held.add(self._sums.queue_names.label(queue), limiter, next_retries)

    def _add_failures(self, kind: RecipientStatus, statuses: Sequence[Status]) -> None:
        failures = Counter([(status.error_type, status.response_code) for status in statuses])
        for (error_type, code), count in failures.items():
            reason = _REASONS.get(error_type or "", FailureReason.UNKNOWN)
            self._sums.failures[kind, reason, _reply_code(code)] += count
            if reason is FailureReason.UNKNOWN:
                self._sums.unknown["failure_reason"] += count


def _counted(values: Sequence[T]) -> Mapping[T, int]:
    """Return how often each value occurs; comparing is much cheaper than hashing, and most are equal."""
    same = values.count(values[0]) == len(values)
    return {values[0]: len(values)} if same else Counter(values)


def _reply_code(code: int | None) -> str:
    return str(code) if code is not None and 100 <= code <= 999 else ""
