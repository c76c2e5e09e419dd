"""What the rest of the exporter may ask of a server's live streams, whichever generation it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from exporter.model.live import Heartbeat, LiveEvents, StreamKind
from exporter.model.telemetry import ServerTotals


class EventStream(Protocol):
    """
    An open stream.

    Attributes:
        transport: ``websocket`` or ``sse``.
    """

    transport: str

    async def receive(self) -> Sequence[bytes]:
        """
        The messages that have come, undecoded; none where the server only shows that it lives.

        Waits without a deadline. Raises a `TargetError` when the stream has ended or cannot be read. Cancelled, the
        stream can only be closed.
        """

    async def aclose(self) -> None:
        """Ends the stream and its connection."""


class LiveClient(Protocol):
    """The live streams of one server."""

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
