"""What a live stream says, whichever way it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.model.delivery import DeliveryEvent


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
