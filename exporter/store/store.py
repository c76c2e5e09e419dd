"""The history file in use: one connection, one writer at a time, one transaction a step."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import structlog

from exporter.errors import StoreError
from exporter.store import file
from exporter.store.bulk import Insert
from exporter.store.connection import Connection, connect
from exporter.store.presence import Presence
from exporter.store.schema import TABLES, TEMPORARY_TABLES
from exporter.store.stats import LOST, StoreStats

log = structlog.get_logger("exporter.store")

T = TypeVar("T")

BUSY_SECONDS = 5.0

PRAGMAS = (
    "PRAGMA synchronous=NORMAL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-2048",
    "PRAGMA temp_store=MEMORY",
)

SEEN = Insert("seen (server, source, id, at)", 4, "ON CONFLICT (server, source, id) DO NOTHING")

Key = tuple[str, tuple[str, ...]]

Parameters = Sequence[object] | Mapping[str, object]

RowWriter = Callable[[sqlite3.Connection], None]
"""Writes rows of its own inside a transaction that is open, in SQLite's thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenIds:
    """
    Ids of one source that are accounted for.

    Attributes:
        added: Id and its time in Unix seconds.
        forget_before: Ids of times before this (Unix seconds) are dropped; ``None`` drops nothing.
        removed: Ids to drop.
    """

    source: str
    added: Iterable[tuple[str, int]]
    forget_before: int | None = None
    removed: Sequence[str] = ()


class Store:
    """
    The open history file; made by `Store.open`, ended by `aclose`.

    Every method raises `StoreError` when SQLite cannot do it now; nothing is then changed.

    Attributes:
        lost: Set once the file is gone, cut or damaged: nothing will be written any more, a `successor` is wanted.
    """

    def __init__(self, path: Path, opened: _Opened, lock_handle: IO[bytes], stats: StoreStats) -> None:
        self.path = path
        self.stats = stats
        self.lost = asyncio.Event()
        self._connection: Connection | None = opened.connection
        self._presence = opened.presence
        self._lock_handle: IO[bytes] | None = lock_handle
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, *, now: datetime) -> Store:
        """Opens *path*, creating, checking and migrating it; raises `StoreError`."""
        handle = await asyncio.to_thread(file.lock_file, path)
        try:
            store = cls(path, await _open(path, now=now), handle, StoreStats())
        except BaseException:
            handle.close()
            raise
        try:
            await store.refresh_stats()
        except BaseException:
            await store.aclose()
            raise
        return store

    async def successor(self, *, now: datetime) -> Store:
        """
        Lets go of the file, and opens what stands at its path by now as at a start: for a file that is lost.

        This store can do nothing any more; the other one goes on with its figures. Raises `StoreError` if the file
        cannot be opened now, and may then be called again.
        """
        async with self._writer:
            await self._let_go()
            if self._lock_handle is None:
                raise StoreError(f"{self.path}: is closed")
            heir = Store(self.path, await _open(self.path, now=now), self._lock_handle, self.stats)
            self._lock_handle = None
            self.stats.ok, self.stats.error = True, ""
            return heir

    async def aclose(self) -> None:
        """Ends the connection and lets the file go; returns when everything written is in it."""
        async with self._writer:
            await self._let_go()
            if self._lock_handle is not None:
                self._lock_handle.close()

    async def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                await connection.close()

    def _open_connection(self) -> Connection:
        if self._connection is None:
            raise StoreError(f"{self.path}: is not open")
        return self._connection

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What *work* returns, done in one transaction, alone, and in SQLite's thread: nothing of the loop's for it."""

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
        """All tallies of *server*."""
        rows = await self.read("SELECT name, labels, value FROM tally WHERE server = ?", (server,))
        return {(name, tuple(json.loads(labels))): value for name, labels, value in rows}

    async def load_watermarks(self, server: str) -> dict[str, str]:
        """All watermarks of *server* by source, as they were saved."""
        rows = await self.read("SELECT source, state FROM watermark WHERE server = ?", (server,))
        return dict((source, state) for source, state in rows)

    async def load_seen(self, server: str, source: str) -> set[str]:
        """The ids of *source* that are accounted for."""
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
        """Sets tallies and watermarks to these values, notes seen ids and writes *rows*, all in one transaction."""

        def write(connection: sqlite3.Connection) -> None:
            if rows is not None:
                rows(connection)
            connection.executemany(
                "INSERT INTO tally (server, name, labels, value) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (server, name, labels) DO UPDATE SET value = excluded.value",
                [(server, name, _labels_text(labels), value) for (name, labels), value in tallies.items()],
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
        """Counts rows and bytes anew."""
        for table in TABLES:
            rows = await self.read(f"SELECT count(*) FROM {table}", ())  # noqa: S608 - a name from our own schema
            self.stats.rows[table] = next(iter(rows))[0]
        self.stats.size_bytes = await asyncio.to_thread(file.size_bytes, self.path)

    async def read(self, sql: str, parameters: Parameters = ()) -> Iterable[sqlite3.Row]:
        """The rows that a query finds."""
        try:
            return await self._open_connection().execute_fetchall(sql, parameters)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreError:
        reason = self.stats.failed(error)
        if reason in LOST and not self.lost.is_set():
            self.lost.set()
            log.error("store.lost", path=str(self.path), reason=reason, error=str(error))
        return StoreError(f"{self.path}: {error}")


class _Opened(NamedTuple):
    connection: Connection
    presence: Presence


async def _open(path: Path, *, now: datetime) -> _Opened:
    """The file at *path*, checked and ready; raises `StoreError`."""
    try:
        await asyncio.to_thread(file.prepare, path, now=now)
        connection = await connect(path, busy_seconds=BUSY_SECONDS)
        try:
            for statement in (*PRAGMAS, *TEMPORARY_TABLES):
                await connection.execute(statement)
            return _Opened(connection, await asyncio.to_thread(Presence, path))
        except BaseException:
            await connection.close()
            raise
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot open {path}: {error}") from error


@lru_cache(maxsize=4096)
def _labels_text(labels: tuple[str, ...]) -> str:
    """*labels* for a column; remembered, since the same tallies move again and again."""
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
