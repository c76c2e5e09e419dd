"""Buffer for log lines, which are read newest first and counted oldest first."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Sequence

import msgspec

from exporter.model.delivery import LogLine

_decoder = msgspec.msgpack.Decoder(list[LogLine])


class LogSpool:
    """
    Pages of log lines, all but the oldest compressed to about twenty bytes per line.

    Attributes:
        lines: Number of lines.
        size_bytes: Size of the compressed pages.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.size_bytes = 0
        self._oldest: Sequence[LogLine] = ()
        self._packed: list[bytes] = []

    async def add(self, lines: Sequence[LogLine]) -> None:
        """Add the lines of an older page, newest first."""
        if self._oldest:
            packed = await asyncio.to_thread(_pack, self._oldest)
            self._packed.append(packed)
            self.size_bytes += len(packed)
        self._oldest = lines
        self.lines += len(lines)

    async def oldest_first(self) -> AsyncIterator[Sequence[LogLine]]:
        """Remove and yield the pages, oldest page first; the lines of each page are newest first."""
        yield self._oldest
        self._oldest = ()
        while self._packed:
            yield await asyncio.to_thread(_unpack, self._packed.pop())


def _pack(lines: Sequence[LogLine]) -> bytes:
    return zlib.compress(msgspec.msgpack.encode(list(lines)), 1)


def _unpack(packed: bytes) -> Sequence[LogLine]:
    return _decoder.decode(zlib.decompress(packed))
