"""The interface of an open live stream, over any transport."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class RenewalDue(Exception):
    """
    An open stream has become expensive and should be closed and reopened.

    Attributes:
        wait_seconds: How long to wait before reopening it.
    """

    def __init__(self, *, wait_seconds: float = 0.0) -> None:
        super().__init__("the stream is due to be reopened")
        self.wait_seconds = wait_seconds


class EventStream(Protocol):
    """
    An open stream. No message repeats the content of an earlier one; the implementation removes repetitions.

    Attributes:
        transport: ``websocket`` or ``sse``.
    """

    transport: str

    async def receive(self) -> Sequence[bytes]:
        """
        Return the messages received, undecoded; none for a ping.

        Waits without a deadline. Raises a `TargetError` if the stream has ended or cannot be read, and `RenewalDue`
        if it should be reopened. After a cancellation the stream can only be closed.
        """

    async def aclose(self) -> None:
        """Close the stream and its connection."""
