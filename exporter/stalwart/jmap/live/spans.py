"""
The queued message of a live event.

Contract: Stalwart v0.16, Enterprise, ``GET /api/live/tracing``: an event names its span, and only the event that opened
the span names the queued message, its virtual queue and its recipients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.outcomes import ATTEMPT_END, ATTEMPT_START
from exporter.stalwart.events.trace_events import delivery_event
from exporter.stalwart.events.trail.values import TrailDecoder

MAX_UNDER_WAY = 8192
"""The most running attempts that are tracked; more than the coverage of complete attempts tracks."""

MAX_ENDED = 256
"""The most ended attempts that are kept, for events that arrive after the end."""

_OPENING_KEYS = ("queueId", "queueName", "to")


class Spans:
    """
    The messages of one server's delivery attempts, across reconnects of the stream.

    Attributes:
        trail: Decodes the same events for the trail.
    """

    def __init__(self) -> None:
        self.trail = TrailDecoder()
        self._under_way: dict[int, Mapping[str, Any]] = {}
        self._ended: dict[int, Mapping[str, Any]] = {}

    def read(self, at: datetime, type_: str, data: Mapping[str, Any]) -> DeliveryEvent | None:
        """
        Parse an event from its own keys; ``None`` if it does not affect an outcome.

        If the message is unknown because the start of its attempt was missed, its number is that of the span, negated.
        """
        span = data.get("spanId")
        span = span if type(span) is int and span > 0 else 0
        if type_ == ATTEMPT_START and span:
            _keep(self._under_way, span, {key: data[key] for key in _OPENING_KEYS if key in data}, MAX_UNDER_WAY)
        opening = self._under_way.get(span) or self._ended.get(span) or {}
        event = delivery_event(at, type_, data, opening)
        if type_ == ATTEMPT_END and span in self._under_way:
            _keep(self._ended, span, self._under_way.pop(span), MAX_ENDED)
        if event is not None and not event.queue_id:
            event = replace(event, queue_id=-span)
        return event


def _keep(openings: dict[int, Mapping[str, Any]], span: int, opening: Mapping[str, Any], most: int) -> None:
    openings[span] = opening
    if len(openings) > most:
        del openings[next(iter(openings))]
