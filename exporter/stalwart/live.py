"""What the rest of the exporter may ask of a server's live streams, whichever generation it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from exporter.model.live import Heartbeat, LiveEvents, StreamKind
from exporter.model.telemetry import ServerTotals


class RenewalDue(Exception):
    """
    An open stream has become dear, and is to be closed and opened anew.

    Attributes:
        wait_seconds: How long to be without it first.
    """

    def __init__(self, *, wait_seconds: float = 0.0) -> None:
        super().__init__("the stream is due to be opened anew")
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


class LiveClient(Protocol):
    """The live streams of one server. Messages are read in the order in which they came."""

    async def open(self, kind: StreamKind) -> EventStream:
        """Opens a stream with a token of its own; raises a `TargetError`."""

    def forget_transport(self) -> None:
        """Perhaps it is another server now: the next `open` finds out anew which transport it speaks."""

    def read_metrics(self, message: bytes) -> ServerTotals | Heartbeat:
        """A message of the stream of metrics; raises `PayloadError`."""

    def read_traces(self, message: bytes) -> LiveEvents | Heartbeat:
        """A message of the stream of traces; raises `PayloadError`."""

    async def aclose(self) -> None:
        """Closes the connections."""
