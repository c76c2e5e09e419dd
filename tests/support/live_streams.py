"""Live streams for tests: one that is written by the test, and what comes first of any."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from exporter.model.live import LiveMessage
from exporter.stalwart.streams.live_stream import LiveStream


class ScriptedStream:
    """A stream that brings these readings, ends with the error among them, and else stays silent."""

    transport = "sse"

    def __init__(self, *readings: Sequence[bytes] | Exception) -> None:
        self._readings = list(readings)
        self.silent = asyncio.Event()
        self.is_closed = False

    async def receive(self) -> Sequence[bytes]:
        if not self._readings:
            self.silent.set()
            await asyncio.Event().wait()
        reading = self._readings.pop(0)
        if isinstance(reading, Exception):
            raise reading
        return reading

    async def aclose(self) -> None:
        self.is_closed = True


async def first_message(stream: LiveStream) -> LiveMessage:
    """The first message of a stream, which is closed then."""
    async with asyncio.timeout(10), stream.reading():
        batch = await stream.receive()
        return next(iter(batch.messages))
