"""Reading for pages: in threads and connections of its own, bounded in number and time, ended with the client."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from exporter.errors import StoreError
from exporter.store.reading import History, reading

T = TypeVar("T")

PARALLEL = 2
"""Reads at one time."""

WAITING = 16
"""Reads that run or wait; further ones are refused."""

STREAMS = 2
"""Exports at one time."""

PIECE_LENGTH = 1 << 16

SECONDS = 5.0
"""Time for a read, including its wait for a thread."""

STEPS = 20_000
"""Steps of SQLite's machine between two looks at the time: a few milliseconds at most."""


class ReadRefused(StoreError):
    """A read took too long, or too many are waiting; the history itself is fine."""


class HistoryReader:
    """
    Reads the history file at *path* while the daemon writes it.

    The writer's connection is never used: readers of a file in WAL mode and its writer do not block each other.
    """

    def __init__(self, path: Path, *, seconds: float = SECONDS) -> None:
        self._path = path
        self._seconds = seconds
        self._waiting = 0
        self._streams = 0
        self._threads: ThreadPoolExecutor | None = None

    async def read(self, work: Callable[[History], T]) -> T:
        """
        Return the result of *work*, which is called in a thread with a read-only connection.

        Raises `ReadRefused` at the deadline or if too many reads are waiting, and `StoreError` if the file cannot be
        read. If cancelled, the running query is ended as well.
        """
        if self._waiting >= WAITING:
            raise ReadRefused("too many pages are being made; try again in a moment")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(PARALLEL, thread_name_prefix="pages")
        attempt = _Attempt(self._path, deadline=time.monotonic() + self._seconds)
        self._waiting += 1
        running = self._threads.submit(attempt.run, work)
        try:
            return await asyncio.wrap_future(running)
        finally:
            self._waiting -= 1
            attempt.end()

    async def stream(self, work: Callable[[History], Iterator[str]]) -> AsyncGenerator[str]:
        """
        Yield what *work* yields, joined to pieces of about `PIECE_LENGTH` characters, read in a thread of its own.

        The deadline holds for each piece, so that a slow client may take as long as it needs. Raises as `read` does.
        """
        if self._streams >= STREAMS:
            raise ReadRefused("another export is under way; try again when it has ended")
        self._streams += 1
        thread = ThreadPoolExecutor(1, thread_name_prefix="export")
        reading_on = _Stream(self._path, work, seconds=self._seconds)
        try:
            while piece := await asyncio.wrap_future(thread.submit(reading_on.next_piece)):
                yield piece
        finally:
            self._streams -= 1
            reading_on.end()
            thread.submit(reading_on.close)
            thread.shutdown(wait=False)


class _Stream:
    """A long read, in one thread; all but `end` is called from it."""

    def __init__(self, path: Path, work: Callable[[History], Iterator[str]], *, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = 0.0
        self._ended = threading.Event()
        self._items = self._read(path, work)

    def next_piece(self) -> str:
        """Return the next piece; empty at the end."""
        self._deadline = time.monotonic() + self._seconds
        parts, length = [], 0
        try:
            for item in self._items:
                parts.append(item)
                length += len(item)
                if length >= PIECE_LENGTH:
                    break
        except StoreError as error:
            if self._is_over():
                raise ReadRefused("the export took too long to read") from error
            raise
        return "".join(parts)

    def end(self) -> None:
        """End the running query; may be called from another thread."""
        self._ended.set()

    def close(self) -> None:
        """Close the file."""
        self._items.close()

    def _read(self, path: Path, work: Callable[[History], Iterator[str]]) -> Generator[str]:
        with reading(path) as connection:
            connection.set_progress_handler(self._is_over, STEPS)
            yield from work(connection)

    def _is_over(self) -> bool:
        return self._ended.is_set() or time.monotonic() >= self._deadline


class _Attempt:
    """One read, which ends early at its deadline or when `end` is called from another thread."""

    def __init__(self, path: Path, *, deadline: float) -> None:
        self._path = path
        self._deadline = deadline
        self._ended = threading.Event()
        self._guard = threading.Lock()
        self._connection: History | None = None

    def run(self, work: Callable[[History], T]) -> T:
        """Read in this thread; raises `ReadRefused` if the end came first."""
        if self._is_over():
            raise ReadRefused("the page took too long to make")
        try:
            with reading(self._path) as connection:
                connection.set_progress_handler(self._is_over, STEPS)
                self._hold(connection)
                try:
                    return work(connection)
                finally:
                    self._hold(None)
        except UnicodeEncodeError as error:
            raise StoreError("a text that is not valid Unicode is in no history") from error
        except StoreError as error:
            if self._is_over():
                raise ReadRefused("the page took too long to make") from error
            raise

    def end(self) -> None:
        """End the running query, if there is one."""
        self._ended.set()
        with self._guard:
            if self._connection is not None:
                self._connection.interrupt()

    def _hold(self, connection: History | None) -> None:
        with self._guard:
            self._connection = connection

    def _is_over(self) -> bool:
        return self._ended.is_set() or time.monotonic() >= self._deadline
