"""An open live stream, whichever transport carries it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class RenewalDue(Exception):
    """
    An open stream has become dear, and is to be closed and opened anew.

    Attributes:
        wait_seconds: How long to be without it first.
    """

    def __init__(self, *, wait_seconds: float = 0.0) -> None:
        super().__init__("the stream is due to be reopened")
        self.wait_seconds = wait_seconds


class EventStream(Protocol):
    """
    An open stream. What it needs to know of its own past is its own: each message holds what no other has told.

    Attributes:
        transport: ``websocket`` or ``sse``.
    """

    transport: str

    async def receive(self) -> Sequence[bytes]:
        """
        The messages that have come, undecoded; none where the server only shows that it lives.

        Waits without a deadline. Raises a `TargetError` when the stream has ended or cannot be read, and `RenewalDue`
        when it should be opened anew. Cancelled, the stream can only be closed.
        """

    async def aclose(self) -> None:
        """Ends the stream and its connection."""
