"""The tallies behind a queue snapshot; the size of each is bounded for any queue."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import contains
from typing import Annotated

from msgspec import Meta

from exporter.clock import rfc3339
from exporter.domains import UNKNOWN_DOMAIN, domain_name
from exporter.model.queue import (
    AGE_BOUNDS_SECONDS,
    ATTEMPT_BOUNDS,
    OTHER_DOMAIN,
    Distribution,
    Held,
    RecipientStatus,
)
from exporter.stalwart.common.timestamps import in_order, unix_sum

AttemptCount = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
"""A number of attempts on the wire; the sum of larger ones could not be exported, so they are refused."""

UNKNOWN = "unknown"
"""The label for a name that cannot be a label."""

MAX_QUEUE_BYTES = 8


class AgeTally:
    """The ages of messages at *taken_at*; messages created later have age 0."""

    def __init__(self, taken_at: datetime) -> None:
        self._taken_at = taken_at
        # In whole seconds, "at most this old" means "created no earlier than the next full second".
        self._cutoffs = [rfc3339(_ceiling(taken_at - timedelta(seconds=bound))) for bound in AGE_BOUNDS_SECONDS]
        self._now = rfc3339(taken_at)
        self._counts = [0] * (len(self._cutoffs) + 1)
        self._oldest: str | None = None
        self._past = 0
        self._past_unix_sum = 0

    def add(self, created: Sequence[str]) -> None:
        """Count messages by their creation times. Raises `UnreadableStamp`."""
        if not created:
            return
        ordered, total = in_order(created)
        younger = 0
        for bucket, cutoff in enumerate(self._cutoffs):
            up_to = len(ordered) - bisect_left(ordered, cutoff)
            self._counts[bucket] += up_to - younger
            younger = up_to
        self._counts[-1] += len(ordered) - younger
        past = bisect_right(ordered, self._now)
        if past < len(ordered):
            total -= unix_sum(ordered[past:]) or 0
        self._past += past
        self._past_unix_sum += total
        if self._oldest is None or ordered[0] < self._oldest:
            self._oldest = ordered[0]

    def oldest(self) -> datetime | None:
        """Return when the oldest message was created; ``None`` without messages."""
        return None if self._oldest is None else datetime.fromisoformat(self._oldest)

    def distribution(self) -> Distribution:
        """Return the distribution of ages in seconds."""
        # Integers make the sum independent of the order of addition.
        taken_microseconds = (self._taken_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        total = self._past * taken_microseconds - self._past_unix_sum * 1_000_000
        return Distribution(bounds=AGE_BOUNDS_SECONDS, counts=tuple(self._counts), total=total / 1_000_000)


class AttemptTally:
    """Waiting recipients by the number of delivery attempts so far."""

    def __init__(self) -> None:
        self._counts = [0] * (len(ATTEMPT_BOUNDS) + 1)
        self._total = 0

    def add(self, attempts: Mapping[int, int]) -> None:
        """Add recipients by their number of attempts."""
        for number, recipients in attempts.items():
            self._counts[bisect_left(ATTEMPT_BOUNDS, number)] += recipients
            self._total += number * recipients

    def distribution(self) -> Distribution:
        """Return the distribution of attempts."""
        return Distribution(bounds=ATTEMPT_BOUNDS, counts=tuple(self._counts), total=float(self._total))


class DomainTally:
    """
    Recipients by destination domain and status.

    Above *capacity* domains, only the largest are kept. The others are added to `OTHER_DOMAIN`; if such a domain occurs
    again, it starts from zero.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._counts: dict[RecipientStatus, Counter[str]] = {status: Counter() for status in RecipientStatus}
        self._pending: dict[RecipientStatus, Counter[str]] = {status: Counter() for status in RecipientStatus}

    def add(self, status: RecipientStatus, addresses: Sequence[str]) -> None:
        """Add recipients by address. The caller must call `settle` after a few thousand at most."""
        if not all(map(contains, addresses, repeat("@"))):
            self._pending[status][""] += sum("@" not in address for address in addresses)
            addresses = [address for address in addresses if "@" in address]
        self._pending[status].update([address.rpartition("@")[2] for address in addresses])

    def settle(self) -> int:
        """Count what was added; return how many recipients had no domain that can be a label."""
        hostile = 0
        for status, domains in self._pending.items():
            counts = self._counts[status]
            for written, recipients in domains.items():
                if written in counts:
                    counts[written] += recipients
                elif (domain := domain_name(written)) is not None:
                    counts[domain] += recipients
                else:
                    counts[UNKNOWN_DOMAIN] += recipients
                    hostile += recipients
            domains.clear()
        if sum(map(len, self._counts.values())) > self._capacity:
            self._prune()
        return hostile

    def by_status(self) -> dict[tuple[str, RecipientStatus], int]:
        """Return the recipients by domain and status."""
        return {(domain, status): count for status, counts in self._counts.items() for domain, count in counts.items()}

    def _prune(self) -> None:
        totals: Counter[str] = Counter()
        for counts in self._counts.values():
            totals.update(counts)
        del totals[OTHER_DOMAIN]
        ranked = heapq.nlargest(self._capacity // 2, totals.items(), key=lambda item: (item[1], item[0]))
        # A domain may occur under every status, so the capacity is divided by the number of statuses.
        kept = {domain for domain, _ in ranked[: self._capacity // len(self._counts)]} | {OTHER_DOMAIN}
        for status, counts in self._counts.items():
            rest = sum(count for domain, count in counts.items() if domain not in kept)
            pruned = Counter({domain: count for domain, count in counts.items() if domain in kept})
            if rest:
                pruned[OTHER_DOMAIN] += rest
            self._counts[status] = pruned


class HeldTally:
    """Recipients held back by the server's own limits, by virtual queue and limiter."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], Held] = {}

    def add(self, queue: str, limiter: str, next_retries: Sequence[datetime]) -> None:
        """Add the recipients of one queue and limiter, at least one, by their next attempts."""
        first, last = min(next_retries), max(next_retries)
        known = self._held.get((queue, limiter))
        if known is not None:
            first, last = min(first, known.first_release_at), max(last, known.last_release_at)
        recipients = len(next_retries) + (known.recipients if known is not None else 0)
        self._held[queue, limiter] = Held(recipients=recipients, first_release_at=first, last_release_at=last)

    def by_limiter(self) -> dict[tuple[str, str], Held]:
        """Return the held recipients by virtual queue and limiter."""
        return dict(self._held)


class QueueNames:
    """Names of virtual queues as labels: 1-8 bytes each, at most *capacity* different ones."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: set[str] = {"default"}

    def label(self, name: str) -> str:
        """Return the name, or `UNKNOWN` if it cannot be a label."""
        if name in self._known:
            return name
        if (
            not name.isprintable()
            or not 1 <= len(name.encode()) <= MAX_QUEUE_BYTES
            or len(self._known) >= self._capacity
        ):
            return UNKNOWN
        self._known.add(name)
        return name


def _ceiling(moment: datetime) -> datetime:
    return moment + timedelta(microseconds=-moment.microsecond % 1_000_000)
