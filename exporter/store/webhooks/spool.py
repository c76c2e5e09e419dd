"""A body that is being received: in memory while it is small, else in an unnamed file beside the history."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

MEMORY_BYTES = 1 << 20
"""What a body may take of memory; it is written to the file in pieces of this size."""

CHUNK_BYTES = 256 * 1024


class BodySpool:
    """
    Holds one body; use it as a context manager. Raises OSError if the file cannot be written.

    Attributes:
        size_bytes: The length of the body so far.
    """

    def __init__(self, directory: Path) -> None:
        self.size_bytes = 0
        self._directory = directory
        self._buffer = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> BodySpool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    async def write(self, piece: bytes) -> None:
        """Append *piece*."""
        self.size_bytes += len(piece)
        self._buffer += piece
        if len(self._buffer) > MEMORY_BYTES:
            await asyncio.to_thread(self._flush)

    def _flush(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - closed on exit
        self._file.write(self._buffer)
        self._buffer.clear()

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole body in order; blocks on the disk if it is in a file."""
        if self._file is not None:
            self._file.seek(0)
            while chunk := self._file.read(CHUNK_BYTES):
                yield chunk
        for at in range(0, len(self._buffer), CHUNK_BYTES):
            yield bytes(self._buffer[at : at + CHUNK_BYTES])
