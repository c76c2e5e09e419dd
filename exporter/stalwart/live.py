"""What the rest of the exporter may ask of a server's live streams, whichever generation it is."""

from __future__ import annotations

from typing import Protocol

from exporter.model.live import Heartbeat, LiveEvents, StreamKind
from exporter.model.telemetry import ServerTotals
from exporter.stalwart.streams.stream import EventStream


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
