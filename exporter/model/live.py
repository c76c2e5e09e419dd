"""The contents of a live stream, from any transport."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from exporter.model.delivery import DeliveryEvent
from exporter.model.telemetry import ServerTotals
from exporter.model.trail_event import TrailEvent


class StreamKind(StrEnum):
    """One live stream of a server; the value of the label ``stream``."""

    METRICS = "metrics"
    TRACES = "traces"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """
    A sign of life while nothing happens.

    Attributes:
        interval_seconds: How often it is sent while nothing happens.
    """

    interval_seconds: float


@dataclass(frozen=True, slots=True)
class LiveEvents:
    """
    The events since the previous message.

    Attributes:
        events: Those that affect deliveries, in order of occurrence.
        received: The number of events of all kinds.
        oldest_at: When the first one occurred, in Unix seconds; 0 if there were none.
        newest_at: When the last one occurred, in Unix seconds; 0 if there were none.
        trail: Those of the trail, in order of arrival; decoded when they are iterated over, once.
    """

    events: Sequence[DeliveryEvent]
    received: int
    oldest_at: int
    newest_at: int
    trail: Iterable[TrailEvent] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class RepeatedEvents:
    """
    A message with delivery events that equals the previous one.

    Attributes:
        received: The number of events of all kinds.
    """

    received: int


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """
    A message that cannot be decoded, so any number of events may be missing.

    Attributes:
        error: The error, with the path of the faulty part.
    """

    error: str


LiveMessage = ServerTotals | LiveEvents | RepeatedEvents | Heartbeat | UnreadableMessage


@dataclass(frozen=True, slots=True)
class LiveBatch:
    """
    The messages received since the previous batch.

    Attributes:
        messages: In order of arrival. Each is decoded when the iteration reaches it; iterate only once.
        dropped: The number of events dropped after them because the buffer was full.
    """

    messages: Iterable[LiveMessage]
    dropped: int = 0
