"""The history file in use: one connection, one writer at a time, one transaction a step."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, TypeVar

from exporter.errors import StoreError
from exporter.store import file
from exporter.store.bulk import Insert
from exporter.store.connection import Connection, connect
from exporter.store.schema import TABLES, TEMPORARY_TABLES

T = TypeVar("T")

BUSY_SECONDS = 5.0
DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)

REASONS = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "readonly",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_IOERR: "io",
    sqlite3.SQLITE_CANTOPEN: "io",
}

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
    """

    source: str
    added: Iterable[tuple[str, int]]
    forget_before: int | None = None


@dataclass(slots=True)
class StoreStats:
    """How the file is doing, for self metrics."""

    ok: bool = True
    error: str = ""
    errors: dict[str, int] = field(default_factory=dict)
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS) + 1))
    duration_sum: float = 0.0
    size_bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)


class Store:
    """
    The open history file; made by `Store.open`, ended by `aclose`.

    Every method raises `StoreError` when SQLite cannot do it now; nothing is then changed.
    """

    def __init__(self, path: Path, connection: Connection, lock_handle: IO[bytes]) -> None:
        self.path = path
        self.stats = StoreStats()
        self._connection = connection
        self._lock_handle = lock_handle
        self._writer = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, *, now: datetime) -> Store:
        """Opens *path*, creating, checking and migrating it; raises `StoreError`."""
        handle = await asyncio.to_thread(file.lock_file, path)
        try:
            await asyncio.to_thread(file.prepare, path, now=now)
            connection = await connect(path, busy_seconds=BUSY_SECONDS)
        except (sqlite3.Error, OSError) as error:
            handle.close()
            raise StoreError(f"cannot open {path}: {error}") from error
        except BaseException:
            handle.close()
            raise
        await connection.execute("PRAGMA synchronous=NORMAL")
        await connection.execute("PRAGMA foreign_keys=ON")
        await connection.execute("PRAGMA cache_size=-2048")
        await connection.execute("PRAGMA temp_store=MEMORY")
        for table in TEMPORARY_TABLES:
            await connection.execute(table)
        store = cls(path, connection, handle)
        await store.refresh_stats()
        return store

    async def aclose(self) -> None:
        """Ends the connection and lets the file go; returns when everything written is in it."""
        async with self._writer:
            await self._connection.close()
            self._lock_handle.close()

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What *work* returns, done in one transaction, alone, and in SQLite's thread: nothing of the loop's for it."""
        async with self._writer:
            started = time.perf_counter()
            try:
                result = await self._connection.write(work)
            except sqlite3.Error as error:
                raise self._failed(error) from error
            self._succeeded(time.perf_counter() - started)
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
            return await self._connection.execute_fetchall(sql, parameters)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _succeeded(self, seconds: float) -> None:
        self.stats.ok, self.stats.error = True, ""
        self.stats.durations[sum(seconds > bound for bound in DURATION_BOUNDS)] += 1
        self.stats.duration_sum += seconds

    def _failed(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", None)
        reason = REASONS.get(code & 0xFF, "other") if code is not None else "other"
        self.stats.ok, self.stats.error = False, str(error)
        self.stats.errors[reason] = self.stats.errors.get(reason, 0) + 1
        return StoreError(f"{self.path}: {error}")


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
