"""The interface to the live streams of a server of any generation."""

from __future__ import annotations

from typing import Protocol

from exporter.model.live import StreamKind
from exporter.stalwart.streams.live_stream import LiveStream


class LiveClient(Protocol):
    """A client for the live streams of one server."""

    async def open(self, kind: StreamKind) -> LiveStream:
        """Open a stream with a fresh token; raises a `TargetError`."""

    def forget_transport(self) -> None:
        """Determine the transport again at the next `open`, since the server may be a different one by then."""

    async def aclose(self) -> None:
        """Close the connections."""
