"""What a live stream says, whichever way it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.model.delivery import DeliveryEvent
from exporter.model.telemetry import ServerTotals


class StreamKind(StrEnum):
    """One live stream of a server; the value of the label ``stream``."""

    METRICS = "metrics"
    TRACES = "traces"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """
    Nothing has happened, and the server lives.

    Attributes:
        interval_seconds: How often that is said while nothing happens.
    """

    interval_seconds: float


@dataclass(frozen=True, slots=True)
class LiveEvents:
    """
    What happened since the message before this one.

    Attributes:
        events: Those that bear on deliveries, in order of occurrence.
        received: How many there were of all families.
        oldest_at: The second of the first one, in Unix seconds; 0 if there were none.
        newest_at: The second of the last one.
    """

    events: Sequence[DeliveryEvent]
    received: int
    oldest_at: int
    newest_at: int


@dataclass(frozen=True, slots=True)
class RepeatedEvents:
    """
    A message with events of deliveries, equal to the one before it.

    Attributes:
        received: How many events of all families it holds.
    """

    received: int


@dataclass(frozen=True, slots=True)
class UnreadableMessage:
    """
    A message that cannot be decoded: any number of events is missing in its place.

    Attributes:
        error: Which part of it cannot be read.
    """

    error: str


LiveMessage = ServerTotals | LiveEvents | RepeatedEvents | Heartbeat | UnreadableMessage


@dataclass(frozen=True, slots=True)
class LiveBatch:
    """
    What a stream brought since the batch before.

    Attributes:
        messages: In order of arrival. Each is decoded when the iteration reaches it, so iterate once.
        dropped: How many events are missing after them, because the buffer was full.
    """

    messages: Iterable[LiveMessage]
    dropped: int = 0
