"""An open live stream as the rest of the exporter sees it: decoded, buffered, with a limit on silence."""

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
    """Allow any silence."""


def _ignore() -> None:
    """Nobody needs to know."""


class LiveStream:
    """
    An open stream whose messages are decoded at the consumer's pace.

    Inside `reading` messages are received as they arrive. They wait undecoded, which bounds memory in bytes.

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
        Read the stream while the block lasts, and close it at the end, also while being cancelled.

        Before each wait *idle_seconds* returns how long the stream may be silent. *received* is called on every sign of
        life, pings included, however slow the consumer is.
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
        Return what has arrived since the last call, in order; wait for something inside `reading`.

        Once everything has been taken, raises what ended the stream: a `TargetError`, or `RenewalDue`.
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
        """Let the consumer know why the reading ended."""
        if not reader.cancelled() and (error := reader.exception()) is not None:
            self._buffer.end(error)
