"""An open live stream: buffered, decoded, with a limit on silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NoReturn

from exporter.errors import TargetTimeout
from exporter.model.live import LiveBatch
from exporter.stalwart.streams.buffer import MessageBuffer
from exporter.stalwart.streams.decoder import StreamDecoder
from exporter.stalwart.streams.stream import EventStream


def _unlimited() -> None:
    """Set no limit on silence."""


def _ignore() -> None:
    """Do nothing."""


class LiveStream:
    """
    An open stream whose messages are decoded at the consumer's pace.

    Inside `reading`, messages are received as they arrive and buffered undecoded, so limiting bytes limits
    memory.

    Attributes:
        transport: ``websocket`` or ``sse``.
    """

    def __init__(self, stream: EventStream, decoder: StreamDecoder, *, name: str) -> None:
        self.transport = stream.transport
        self._stream = stream
        self._decoder = decoder
        self._name = name
        self._buffer = MessageBuffer(decoder.count_events)

    @asynccontextmanager
    async def reading(
        self,
        *,
        idle_seconds: Callable[[], float | None] = _unlimited,
        received: Callable[[], None] = _ignore,
    ) -> AsyncIterator[None]:
        """
        Read the stream while the block runs, and close it at the end, also on cancellation.

        *idle_seconds* is called before each wait and returns the longest permitted silence. *received* is called for
        everything received, pings included, however slow the consumer is.
        """
        reader = asyncio.create_task(self._read(idle_seconds, received), name=f"{self._name}-reader")
        reader.add_done_callback(self._end_buffer)
        try:
            yield
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await self.aclose()

    async def receive(self) -> LiveBatch:
        """
        Return what has arrived since the last call, in order, or wait for it. Call it inside `reading`.

        Once everything has been returned, raises what ended the stream: a `TargetError` or `RenewalDue`.
        """
        messages, dropped = await self._buffer.take()
        return LiveBatch(map(self._decoder.decode, messages), dropped)

    async def aclose(self) -> None:
        """Close the connection of a stream that is not being read."""
        await self._stream.aclose()

    async def _read(self, idle_seconds: Callable[[], float | None], received: Callable[[], None]) -> NoReturn:
        """Fill the buffer until the stream ends or falls silent; raise why."""
        while True:
            limit = idle_seconds()
            try:
                async with asyncio.timeout(limit):
                    messages = await self._stream.receive()
            except TimeoutError as error:
                raise TargetTimeout(f"{self._name}: nothing received for {limit:g} s") from error
            received()
            for message in messages:
                self._buffer.put(message)

    def _end_buffer(self, reader: asyncio.Task[NoReturn]) -> None:
        """Pass the reader's error on to the consumer."""
        if not reader.cancelled() and (error := reader.exception()) is not None:
            self._buffer.end(error)
