"""
The meaning of posted events, in the order in which they happened.

Contract: Stalwart v0.10-v0.16. ``createdAt`` has whole seconds, and inside a second events are out of order; a batch
that is posted again comes after newer events. `in_order` therefore sorts by second and span, with the opening event of
an attempt first and its closing event last.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from exporter.clock import unix_second, whole_second
from exporter.model.webhook import PostedEvent
from exporter.stalwart.events.names import canonical_event
from exporter.stalwart.events.outcomes import ATTEMPT_END, ATTEMPT_START
from exporter.stalwart.events.trace_events import delivery_event, is_followed
from exporter.stalwart.events.trail.values import TRAIL_TYPES, TrailDecoder
from exporter.stalwart.webhooks.spans import AttemptSpans
from exporter.stalwart.webhooks.wire import WireEvent

HELD_SECONDS = 10
"""How long an event waits for the opening event of its attempt, by the server's clock."""

MAX_HELD = 256
STARTUP = "server.startup"
MAX_VERSION = 64
_RANKS = {ATTEMPT_START: 0, ATTEMPT_END: 2}
_MAX_SPAN_ID = (1 << 64) - 1


@lru_cache(maxsize=1024)
def parse_second(created_at: str) -> datetime | None:
    """Return an event's time in UTC; ``None`` if it is unreadable."""
    try:
        at = datetime.fromisoformat(created_at)
        return whole_second(at) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def is_wanted(type_: str) -> bool:
    """Whether an event of a type says anything about a delivery, a message, a session or the server."""
    return type_ in TRAIL_TYPES or is_followed(type_) or type_ == STARTUP


def in_order(events: Iterable[WireEvent]) -> list[WireEvent]:
    """Return *events* in the order in which they happened, as far as they show it."""
    return sorted(events, key=_place)


def _place(event: WireEvent) -> tuple[str, int, int]:
    return event.created_at, span_id_of(event), _RANKS.get(event.type, 1)


def span_id_of(event: WireEvent) -> int:
    """Return the id of an event's session or attempt; 0 if it has none."""
    span_id = event.data.get("spanId") if isinstance(event.data, dict) else None
    return span_id if type(span_id) is int and 0 <= span_id <= _MAX_SPAN_ID else 0


class EventReader:
    """
    Turns the posted events of one server into model events.

    Attributes:
        unreadable: Events without a readable time, so far.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self.unreadable = 0
        self._spans = AttemptSpans.from_state(state["spans"] if state else ())
        self._held: list[WireEvent] = [WireEvent(*event) for event in (state["held"] if state else ())]
        self._newest = 0
        self._is_last = False
        self._trail = TrailDecoder()

    def read(self, events: Sequence[WireEvent], *, is_last: bool = False) -> Iterator[PostedEvent]:
        """
        Yield the events of a slice in order; one whose attempt is not yet known is held until it is.

        With *is_last*, nothing is held: no more events are expected.
        """
        ordered = in_order([*self._held, *events])
        self._held = []
        self._is_last = is_last
        for event in ordered:
            self._learn(event)
        for event in ordered:
            read = self._read(event)
            if read is not None:
                yield read
        self._spans.forget_before(self._newest)

    def _learn(self, event: WireEvent) -> None:
        at = parse_second(event.created_at)
        if at is not None:
            second = unix_second(at)
            self._newest = max(self._newest, second)
            if isinstance(event.data, dict):
                self._spans.learn(event.type, span_id_of(event), event.data, second)

    def _read(self, event: WireEvent) -> PostedEvent | None:
        at = parse_second(event.created_at)
        event_id = canonical_event(event.type) or event.type
        data = event.data if isinstance(event.data, dict) else {}
        if at is None:
            self.unreadable += 1
            return None
        span_id = span_id_of(event)
        opening = self._spans.opening(span_id)
        if opening is None and self._must_wait(event, span_id, data, unix_second(at)):
            self._held.append(event)
            return None
        version = data.get("version") if event_id == STARTUP else None
        return PostedEvent(
            event_id,
            at,
            span_id,
            delivery_event(at, event.type, data, opening or {}),
            self._trail.read(at, event.type, data, opening or {}),
            version[:MAX_VERSION] if isinstance(version, str) else "",
        )

    def _must_wait(self, event: WireEvent, span_id: int, data: Mapping[str, Any], second: int) -> bool:
        """Return whether the attempt of an event is unknown and may still become known."""
        if self._is_last or not span_id or "queueId" in data or not is_followed(event.type):
            return False
        return self._newest - second <= HELD_SECONDS and len(self._held) < MAX_HELD

    def to_state(self) -> Mapping[str, Any]:
        """Return the state as JSON-serializable data."""
        held = [[event.type, event.created_at, event.data] for event in self._held]
        return {"spans": self._spans.to_state(), "held": held}
