"""The sums of a queue walk, for both generations."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from exporter.model.queue import OVERDUE_AFTER_SECONDS, FailureReason, QueueSnapshot, RecipientStatus
from exporter.stalwart.common.queue_tallies import AgeTally, AttemptTally, DomainTally, HeldTally, QueueNames

MAX_DOMAINS = 8192
MAX_QUEUES = 64


class QueueSums:
    """
    The sums over the pages so far; each generation has its own code that adds to them.

    Attributes:
        overdue_before: A recipient whose next attempt was due before this is overdue.
        running: Whether the queue is running; ``None`` if the server does not report it.
        unknown: The number of unknown values, by field.
    """

    def __init__(self, taken_at: datetime, *, max_domains: int = MAX_DOMAINS, max_queues: int = MAX_QUEUES) -> None:
        self.taken_at = taken_at
        self.overdue_before = taken_at - timedelta(seconds=OVERDUE_AFTER_SECONDS)
        self.running: bool | None = None
        self.messages = 0
        self.size_bytes = 0
        self.ages = AgeTally(taken_at)
        self.attempts = AttemptTally()
        self.domains = DomainTally(max_domains)
        self.held = HeldTally()
        self.queue_names = QueueNames(max_queues)
        self.recipients: Counter[tuple[str, RecipientStatus]] = Counter()
        self.overdue: Counter[str] = Counter()
        self.expired: Counter[str] = Counter()
        self.failures: Counter[tuple[RecipientStatus, FailureReason, str]] = Counter()
        self.unknown: Counter[str] = Counter()

    def snapshot(self, *, truncated: bool) -> QueueSnapshot:
        """Return the sums as a snapshot; *truncated*: the queue is longer than the walk."""
        return QueueSnapshot(
            taken_at=self.taken_at,
            running=self.running,
            messages=self.messages,
            size_bytes=self.size_bytes,
            recipients=dict(self.recipients),
            oldest_created_at=self.ages.oldest(),
            ages_seconds=self.ages.distribution(),
            attempts=self.attempts.distribution(),
            overdue=dict(self.overdue),
            expired=dict(self.expired),
            domains=self.domains.by_status(),
            failures=dict(self.failures),
            held=self.held.by_limiter(),
            truncated=truncated,
            unknown={name: count for name, count in self.unknown.items() if count},
        )
