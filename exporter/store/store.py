"""The history file in use: one connection, one writer at a time, one transaction per step."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, TypeVar

import structlog

from exporter.errors import StoreError
from exporter.store.connection import Parameters, SqliteConnection, connect
from exporter.store.disk import file
from exporter.store.disk.identity import Presence
from exporter.store.disk.lock import HistoryLock
from exporter.store.inserts import Insert
from exporter.store.patience import Patience
from exporter.store.schema import TABLES, TEMPORARY_TABLES
from exporter.store.stats import LOST, UNREADABLE, StoreStats

log = structlog.get_logger("exporter.store")

T = TypeVar("T")

PRAGMAS = (
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-2048",
    "PRAGMA temp_store=MEMORY",
)

COUNT_PAUSE = 2000
"""A table is counted again after this many times the duration of the last count: a long one takes a while."""

MAX_INTEGER = (1 << 63) - 1
"""SQLite's largest integer."""

SEEN = Insert("seen (server, source, id, at)", 4, "ON CONFLICT (server, source, id) DO NOTHING")

Key = tuple[str, tuple[str, ...]]

RowWriter = Callable[[sqlite3.Connection], None]
"""Writes additional rows inside an open transaction, in SQLite's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIds:
    """
    Changes of the recorded ids of one source.

    Attributes:
        added: Id and its time in Unix seconds.
        forget_before: Ids with an earlier time (Unix seconds) are deleted; ``None`` deletes nothing.
        removed: Ids to delete.
    """

    source: str
    added: Iterable[tuple[str, int]]
    forget_before: int | None = None
    removed: Sequence[str] = ()


class Store:
    """
    The open history file; created by `Store.open`, closed by `aclose`.

    Every method raises `StoreError`, without any effect, while SQLite cannot do its work.

    Attributes:
        lost: Set once the file is missing, truncated or damaged: all writes fail, and `successor` must be called.
    """

    def __init__(self, path: Path, opened: _Opened, lock: HistoryLock, stats: StoreStats, patience: Patience) -> None:
        self.path = path
        self.stats = stats
        self.lost = asyncio.Event()
        self._connection: SqliteConnection | None = opened.connection
        self._presence = opened.presence
        self._lock: HistoryLock | None = lock
        self._patience = patience
        self._writer = asyncio.Lock()
        self._count_again: dict[str, float] = {}

    @classmethod
    async def open(cls, path: Path, *, now: datetime, checking: Patience | None = None) -> Store:
        """
        Open *path*, creating, checking and migrating it; raises `StoreError`, also at the deadline of *checking*.

        A new file and its directory are private to their owner. If *path* is a symbolic link, its target is used.
        """
        path, patience = Path(await asyncio.to_thread(os.path.realpath, path)), Patience()
        lock = await asyncio.to_thread(HistoryLock, path)
        try:
            opened = await _open(path, lock, now=now, patience=patience, checking=checking or patience)
            store = cls(path, opened, lock, StoreStats(), patience)
        except BaseException:
            lock.close()
            raise
        try:
            await store.refresh_stats()
        except BaseException:
            await store.aclose()
            raise
        return store

    async def successor(self, *, now: datetime) -> Store:
        """
        Release a lost file, and open or create the file that is at its path now.

        This store is unusable afterwards; the new one continues its statistics. Raises `StoreError` if the file cannot
        be opened, and may then be called again.
        """
        async with self._writer:
            await self._let_go()
            if self._lock is None:
                raise StoreError(f"{self.path}: is closed")
            opened = await _open(self.path, self._lock, now=now, patience=self._patience, checking=self._patience)
            heir = Store(self.path, opened, self._lock, self.stats, self._patience)
            self._lock = None
            self.stats.ok, self.stats.error = True, ""
            return heir

    async def aclose(self) -> None:
        """Close the connection and release the locks; returns after all writes are on disk."""
        async with self._writer:
            await self._let_go()
            lock, self._lock = self._lock, None
            if lock is not None:
                lock.close()

    def hurry(self, seconds: float) -> None:
        """Set a deadline in *seconds* for all reads and writes, including those that wait for a locked file."""
        self._patience.end_within(seconds)

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    def _open_connection(self) -> SqliteConnection:
        if self._connection is None:
            raise StoreError(f"{self.path}: is not open")
        return self._connection

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* alone, in one transaction, and return its result; it runs in SQLite's thread, not the loop's."""

        def guarded(connection: sqlite3.Connection) -> T:
            self._presence.check()
            return work(connection)

        async with self._writer:
            connection = self._open_connection()
            started = time.perf_counter()
            try:
                result = await connection.write(guarded)
            except sqlite3.Error as error:
                raise self._failed(error) from error
            self.stats.succeeded(time.perf_counter() - started)
            return result

    async def load_tallies(self, server: str) -> dict[Key, int]:
        """Return all tallies of *server*."""
        rows = await self.read("SELECT name, labels, value FROM tally WHERE server = ?", (server,))
        tallies = {}
        for name, labels, value in rows:
            try:
                key, number = (name, tuple(map(str, json.loads(labels)))), int(value)
                if number < 0:
                    raise ValueError("a tally cannot be negative")
            except (ValueError, TypeError, RecursionError) as error:
                # Without the counter, which starts anew, rather than without its server.
                self.stats.errors[UNREADABLE] += 1
                log.error("tally.dropped", server=server, tally=str(name), error=type(error).__name__)
            else:
                tallies[key] = number
        return tallies

    async def load_watermarks(self, server: str) -> dict[str, str]:
        """Return all watermarks of *server* by source, as saved."""
        rows = await self.read("SELECT source, state FROM watermark WHERE server = ?", (server,))
        return dict((source, state) for source, state in rows)

    async def load_seen(self, server: str, source: str) -> set[str]:
        """Return the recorded ids of *source*."""
        rows = await self.read("SELECT id FROM seen WHERE server = ? AND source = ?", (server, source))
        return {row[0] for row in rows}

    async def save(
        self,
        server: str,
        *,
        tallies: Mapping[Key, int],
        watermarks: Mapping[str, str],
        seen: Iterable[SeenIds] = (),
        rows: RowWriter | None = None,
    ) -> None:
        """Set tallies and watermarks, change recorded ids and write *rows*, all in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            if rows is not None:
                rows(connection)
            connection.executemany(
                "INSERT INTO tally (server, name, labels, value) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (server, name, labels) DO UPDATE SET value = excluded.value",
                [(server, name, _labels_text(labels), _stored(value)) for (name, labels), value in tallies.items()],
            )
            connection.executemany(
                "INSERT INTO watermark (server, source, state) VALUES (?, ?, ?)"
                " ON CONFLICT (server, source) DO UPDATE SET state = excluded.state",
                [(server, source, state) for source, state in watermarks.items()],
            )
            for ids in seen:
                _note(connection, server, ids)

        await self.write(write)

    async def refresh_stats(self) -> None:
        """Update the row counts and the size in `stats`; long tables are counted less often."""
        for table in TABLES:
            began = time.monotonic()
            if began < self._count_again.get(table, 0.0):
                continue
            rows = await self.read(f"SELECT count(*) FROM {table}", ())  # noqa: S608 - a name from our own schema
            self.stats.rows[table] = next(iter(rows))[0]
            self._count_again[table] = began + COUNT_PAUSE * (time.monotonic() - began)
        self.stats.size_bytes = await asyncio.to_thread(file.size_bytes, self.path)

    async def read(self, sql: str, parameters: Parameters = ()) -> Iterable[sqlite3.Row]:
        """Return the rows of a query."""
        try:
            return await self._open_connection().read(sql, parameters)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        reason = self.stats.failed(error)
        if reason in LOST and not self.lost.is_set():
            self.lost.set()
            log.error("store.lost", path=str(self.path), reason=reason, error=str(error))
        return StoreError(f"{self.path}: {error}")


class _Opened(NamedTuple):
    connection: SqliteConnection
    presence: Presence


async def _open(path: Path, lock: HistoryLock, *, now: datetime, patience: Patience, checking: Patience) -> _Opened:
    """Lock, check, migrate and open the file at *path*; raises `StoreError`."""
    try:
        await asyncio.to_thread(lock.take_file)
        await asyncio.to_thread(file.prepare, path, now=now, patience=checking)
        await asyncio.to_thread(lock.take_file)
        connection = await connect(path, patience=patience)
        try:
            await connection.prepare((*PRAGMAS, *TEMPORARY_TABLES))
            return _Opened(connection, await asyncio.to_thread(Presence, path))
        except BaseException:
            await connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot open {path}: {error}") from error


def _stored(value: int) -> int | bytes:
    """Return *value* in a form that SQLite keeps exactly: decimal digits beyond 64 bits, which `int` also parses."""
    return value if value <= MAX_INTEGER else str(value).encode("ascii")


@lru_cache(maxsize=4096)
def _labels_text(labels: tuple[str, ...]) -> str:
    """Return *labels* as column text; cached, since the same tallies change again and again."""
    return json.dumps(labels)


def _note(connection: sqlite3.Connection, server: str, ids: SeenIds) -> None:
    values = [value for id_, at in ids.added for value in (server, ids.source, id_, at)]
    SEEN.write(connection, values)
    if ids.forget_before is not None:
        connection.execute(
            "DELETE FROM seen WHERE server = ? AND source = ? AND at < ?", (server, ids.source, ids.forget_before)
        )
    connection.executemany(
        "DELETE FROM seen WHERE server = ? AND source = ? AND id = ?",
        [(server, ids.source, id_) for id_ in ids.removed],
    )
