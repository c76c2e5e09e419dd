"""The interface of what counts the events of a live stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from exporter.model.live import LiveBatch, StreamKind


@dataclass(frozen=True, slots=True)
class Applied:
    """
    The result of applying a batch of messages.

    Attributes:
        events: Number of events in the batch.
        dropped: Number of events that were not counted.
        heartbeat_seconds: Interval of the server's heartbeats, as reported by the server; ``None`` if it was not
            reported.
    """

    events: int
    dropped: int = 0
    heartbeat_seconds: float | None = None


class Feed(Protocol):
    """
    Counts the events of one stream.

    Attributes:
        heartbeat_seconds: Longest time between two messages of a healthy stream.
    """

    kind: StreamKind
    heartbeat_seconds: float

    async def connected(self) -> None:
        """Prepare for an open stream; no message has been applied yet."""

    async def apply(self, batch: LiveBatch) -> Applied:
        """Count the messages of *batch*, and record events that were lost after them."""

    async def lost(self) -> None:
        """Record that an open stream has ended."""

    async def out(self, *, for_good: bool) -> None:
        """Record that the stream is unavailable; *for_good*: the server does not support it or forbids it."""
