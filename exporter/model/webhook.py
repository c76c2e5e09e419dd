"""Events that a server posts to us."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exporter.model.delivery import DeliveryEvent
from exporter.model.trail_event import TrailEvent


@dataclass(slots=True)
class PostedEvent:
    """
    One event of a post. Never modified.

    Attributes:
        event_id: As the newest release spells it.
        at: When the server collected it, to the second, aware and in UTC.
        span_id: The session or attempt; 0 if it belongs to none.
        delivery: The event as part of a delivery attempt; ``None`` if it does not affect an outcome.
        trail: The event as part of a message's or a session's trail; ``None`` if it says nothing about them.
        version: The server's version, from an event about its start; else empty.
    """

    event_id: str
    at: datetime
    span_id: int
    delivery: DeliveryEvent | None = None
    trail: TrailEvent | None = None
    version: str = ""
