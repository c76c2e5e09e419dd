"""What counts the events of a live stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from exporter.model.live import LiveBatch, StreamKind


@dataclass(frozen=True, slots=True)
class Applied:
    """
    What became of some messages.

    Attributes:
        events: How many events they held.
        dropped: How many were not counted.
        heartbeat_seconds: How often the server says that it does so while nothing happens; ``None`` if it did not say.
    """

    events: int
    dropped: int = 0
    heartbeat_seconds: float | None = None


class Feed(Protocol):
    """
    Counts what one stream tells.

    Attributes:
        heartbeat_seconds: How often something comes at least.
    """

    kind: StreamKind
    heartbeat_seconds: float

    async def connected(self) -> None:
        """The stream is open; nothing of it has been applied yet."""

    async def apply(self, batch: LiveBatch) -> Applied:
        """Count the messages of *batch*, and note the events missing after them."""

    async def lost(self) -> None:
        """A stream that was open has ended."""

    async def out(self, *, for_good: bool) -> None:
        """The stream cannot be had; *for_good*: the server does not have it or may not give it."""
