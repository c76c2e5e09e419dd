"""SQLite in a thread of its own, and a whole transaction in one trip there: each trip may find the thread asleep."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

T = TypeVar("T")

ROWS_AT_ONCE = 64
"""Of a query that is read bit by bit; ours are read whole."""


class Connection(aiosqlite.Connection):
    """One that does several steps at a time; made by awaiting `connect`."""

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        What *work* returns, done in a transaction and in SQLite's thread; on any exception nothing has changed.

        Ends when *work* has, also when cancelled: the thread goes on with it either way. The cancellation is passed on.
        """
        return await _to_its_end(self._execute(_written, self._conn, work))  # type: ignore[no-untyped-call]


async def connect(path: Path, *, busy_seconds: float) -> Connection:
    """The connection to the file at *path*, without implicit transactions. Whoever locks it is waited for."""
    connection = Connection(lambda: sqlite3.connect(path, isolation_level=None, timeout=busy_seconds), ROWS_AT_ONCE)
    await connection
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """A write transaction, rolled back on any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have done so by itself, also while we look. What led here matters.
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


def _written(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    with transaction(connection):
        return work(connection)


async def _to_its_end(working: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(working)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
