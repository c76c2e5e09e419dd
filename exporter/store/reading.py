"""
The command line's connections to the history file, with or without a running daemon.

`reading` cannot change the file. `writing` can: `reports prune` deletes with it. The file is in WAL mode, so readers
and the single writer do not block each other; two writers block each other for at most `BUSY_SECONDS`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from exporter.errors import StoreError
from exporter.store.schema import MIGRATIONS

History = sqlite3.Connection
"""The history file, opened by `reading` or `writing`; rows have their values by column name."""

BUSY_SECONDS = 5.0


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """
    Open the history at *path* read-only; rows have their values by column name.

    Raises `StoreError`, also for SQLite errors inside the block.
    """
    try:
        connection = _open(path)
        try:
            _check_version(path, connection)
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"cannot read {path}: {error}") from error


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """
    Open the history at *path* for changes.

    The caller begins and ends transactions, and keeps them short, because the daemon waits for them. Raises
    `StoreError`, also for SQLite errors inside the block.
    """
    if not path.exists():
        raise StoreError(f"{path}: no such file")
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            _check_version(path, connection)
            connection.execute("PRAGMA foreign_keys=ON")
            connection.row_factory = sqlite3.Row
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreError(f"cannot write {path}: {error}") from error


def _open(path: Path) -> sqlite3.Connection:
    try:
        if not path.is_file():
            raise StoreError(f"{path}: no such file; the daemon creates it (is another store.path configured?)")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
    try:
        return _connected(path, "mode=ro")
    except sqlite3.OperationalError:
        # A reader of a WAL file writes to the file's shared memory. If that is not permitted, and no WAL holds newer
        # pages, the file can be read as immutable.
        if Path(f"{path}-wal").exists():
            raise
        return _connected(path, "mode=ro&immutable=1")


def _connected(path: Path, query: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(path))}?{query}", uri=True, timeout=BUSY_SECONDS)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise StoreError(
            f"{path} was written by a newer release (schema {version}, this release supports {len(MIGRATIONS)})"
        )
    if version < len(MIGRATIONS):
        raise StoreError(f"{path} was written by an older release; the daemon upgrades it at the next start")
