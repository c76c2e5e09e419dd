"""The live streams of a server, whichever generation it is."""

from __future__ import annotations

from typing import Protocol

from exporter.model.live import StreamKind
from exporter.stalwart.streams.live_stream import LiveStream


class LiveClient(Protocol):
    """The live streams of one server."""

    async def open(self, kind: StreamKind) -> LiveStream:
        """Open a stream with a token of its own; raises a `TargetError`."""

    def forget_transport(self) -> None:
        """Determine the transport again at the next `open`: it may be another server by now."""

    async def aclose(self) -> None:
        """Close the connections."""
