"""How the live streams of one server are doing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class StreamHealth:
    """
    One stream.

    Attributes:
        transport: ``websocket`` or ``sse``; empty before the first connection.
        connects: How often it was opened.
        events: What it brought: events of all families, or messages of metrics.
        dropped: Of those, the ones that were not read because there were too many at once, or came twice.
        gap_seconds: How long it was gone, in sum, between the first connection and the last.
        last_event_at: Aware, in UTC; ``None`` before the first event.
    """

    name: str
    connected: bool = False
    transport: str = ""
    connects: int = 0
    events: int = 0
    dropped: int = 0
    gap_seconds: float = 0.0
    last_event_at: datetime | None = None

    @property
    def reconnects(self) -> int:
        """How often it was opened again."""
        return max(0, self.connects - 1)
