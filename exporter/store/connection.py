"""SQLite in a thread of its own; a transaction is one trip to the thread, since each trip may have to wake it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from exporter.store.patience import Patience

T = TypeVar("T")

ROWS_AT_ONCE = 64
"""Rows per trip of a query that is read incrementally; our queries are read whole."""


Parameters = Sequence[object] | Mapping[str, object]


class SqliteConnection(aiosqlite.Connection):
    """A connection that runs several steps per trip and waits for a lock with *patience*; created by `connect`."""

    def __init__(self, connector: Callable[[], sqlite3.Connection], *, patience: Patience) -> None:
        super().__init__(connector, ROWS_AT_ONCE)
        self._patience = patience

    async def prepare(self, statements: Sequence[str]) -> None:
        """Execute the idempotent *statements* outside of a transaction."""

        def work(connection: sqlite3.Connection) -> None:
            self._patience.watch(connection)
            for statement in statements:
                connection.execute(statement)

        await self._in_thread(self._retried, work)

    async def read(self, sql: str, parameters: Parameters) -> list[sqlite3.Row]:
        """Return the rows of a query."""
        return await self._in_thread(self._retried, lambda connection: connection.execute(sql, parameters).fetchall())

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run *work* in a transaction in SQLite's thread and return its result; any exception rolls back.

        Returns after *work* has ended, even if cancelled, since the thread cannot be interrupted; then raises
        CancelledError.
        """
        return await _to_its_end(self._in_thread(self._written, work))

    async def _in_thread(
        self,
        run: Callable[[sqlite3.Connection, Callable[[sqlite3.Connection], T]], T],
        work: Callable[[sqlite3.Connection], T],
    ) -> T:
        result: T = await self._execute(run, self._conn, work)  # type: ignore[no-untyped-call]
        return result

    def _retried(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        return self._patience.retry(lambda: work(connection))

    def _written(self, connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
        with transaction(connection, self._patience):
            return work(connection)


async def connect(path: Path, *, patience: Patience) -> SqliteConnection:
    """Return a connection to the file at *path*, without implicit transactions."""
    connection = SqliteConnection(lambda: sqlite3.connect(path, isolation_level=None, timeout=0), patience=patience)
    await connection
    return connection


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, patience: Patience) -> Iterator[None]:
    """Open a write transaction, which any exception rolls back."""
    patience.retry(lambda: connection.execute("BEGIN IMMEDIATE"))
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may already have rolled back by itself. The original exception matters more than a failed rollback.
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise


async def _to_its_end(working: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(working)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # The cancellation is what matters to the caller.
        raise
