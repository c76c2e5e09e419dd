"""Events of delivery attempts, and what they come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.tracker import AttemptTracker
from tests.support.builders.outcomes import outcomes_of

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def event(id_: str, **fields: object) -> DeliveryEvent:
    base = DeliveryEvent(event_id=id_, at=AT, queue_id=7, queue_name="remote", span_recipients=("d@example.com",))
    return replace(base, **fields)


def fold(*events: DeliveryEvent, folder: AttemptTracker | None = None) -> list[tuple[str, str, str, str]]:
    return [(o.outcome.value, o.reason, o.code, o.domain) for o in outcomes_of(events, folder)]


def fed(folder: AttemptTracker, *events: DeliveryEvent) -> list[str]:
    """The codes of what *events* decide at once."""
    return [decision.outcome.code for each in events for decision in folder.feed(each)]


RESCHEDULED = event("queue.rescheduled")
REJECTED = event("delivery.rcpt-to-rejected", recipient="d@Example.COM", hostname="mx", code=451, text="later")
CONNECT = event("delivery.connect-error", domain="example.com", text="I/O Error: Connection refused (os error 111)")
NO_TLS = event("delivery.start-tls-unavailable", domain="example.com", text="STARTTLS was not advertised by host")
GIVEN_UP = event(
    "delivery.dsn-perm-fail",
    recipient="gone@example.com",
    text="Unexpected response for RCPT TO:<gone@example.com>: Code: 550, Enhanced code: 5.1.1, Message: No such user",
)
ENDED = event("delivery.attempt-end")
DEFERRED = ("temporary_failure", "unexpected_response", "451", "example.com")
