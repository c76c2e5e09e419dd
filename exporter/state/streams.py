"""The health of a server's live streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class StreamHealth:
    """
    The health of one stream.

    Attributes:
        transport: ``websocket`` or ``sse``; empty before the first connection.
        connects: The number of times it was opened.
        events: The events received, of all kinds; for metrics, the messages.
        dropped: Events dropped because the buffer was full, plus repeated events and unreadable messages.
        gap_seconds: The total time without a connection, between the first one and the last.
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
        """The number of times it was reopened."""
        return max(0, self.connects - 1)
