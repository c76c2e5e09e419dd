"""The true numbers, independent of what the server reports: they survive simulated restarts."""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal, NamedTuple

Outcome = Literal["delivered", "permanent_failure", "temporary_failure"]


class DeliveryKey(NamedTuple):
    """
    The outcome for a recipient, or for a deferred attempt.

    Attributes:
        reason: Class of error, empty for deliveries.
        code: SMTP reply code in digits, empty if there was none.
        domain: The recipient's, in lower case; empty if an attempt for several was deferred and no event has the
            reason.
    """

    outcome: Outcome
    reason: str
    code: str
    domain: str


class Ledger:
    """
    Everything that really happened since the world began.

    Attributes:
        events: Every event raised, by id, counted or not.
        deliveries: One for each `delivery.dsn-success`, `delivery.dsn-perm-fail` and `queue.rescheduled`. A deferred
            attempt has the reason, code and domain of the last failing delivery event of a pending recipient.
        log_lines: Every line written to the log, by level and event id.
        reports: Incoming reports stored, by kind.
    """

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.deliveries: Counter[DeliveryKey] = Counter()
        self.log_lines: Counter[tuple[str, str]] = Counter()
        self.reports: Counter[str] = Counter()

    def outcomes(self) -> Counter[str]:
        """Return deliveries summed by outcome."""
        totals: Counter[str] = Counter()
        for key, count in self.deliveries.items():
            totals[key.outcome] += count
        return totals

    def to_json(self) -> dict[str, Any]:
        """Return everything, for the control port."""
        return {
            "events": dict(self.events),
            "deliveries": [{**key._asdict(), "count": count} for key, count in sorted(self.deliveries.items())],
            "log_lines": [{"level": key[0], "event_id": key[1], "count": n} for key, n in self.log_lines.items()],
            "reports": dict(self.reports),
        }
