"""Opening the history file: one daemon at a time, checked, migrated; a corrupt one is moved aside, never deleted."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from datetime import datetime
from pathlib import Path
from typing import IO

import structlog

from exporter.errors import StoreError
from exporter.store.schema import MIGRATIONS

log = structlog.get_logger("exporter.store")

SIDE_FILES = ("", "-wal", "-shm")


def lock_file(path: Path) -> IO[bytes]:
    """
    Takes the lock that keeps a second daemon out, and returns the open file that holds it.

    Raises `StoreError` if another process has it or the directory cannot be written.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = lock_path.open("ab")
    except OSError as error:
        raise StoreError(f"cannot write beside {path}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise StoreError(f"{path} is in use by another stalwart-exporter") from error
    return handle


def prepare(path: Path, *, now: datetime) -> None:
    """
    Makes *path* a sound history file of the newest schema; blocking, so not for the event loop.

    A file that SQLite cannot read is moved aside under its name with ``.corrupt-<time>`` and a new one begun. Raises
    `StoreError` if the file cannot be used, or was written by a newer release.
    """
    try:
        _check_and_migrate(path)
    except sqlite3.DatabaseError as error:
        if not _is_corruption(error):
            raise StoreError(f"cannot use {path}: {error}") from error
        aside = _move_aside(path, now)
        log.error("store.corrupt", path=str(path), moved_to=str(aside), error=str(error))
        try:
            _check_and_migrate(path)
        except sqlite3.Error as again:
            raise StoreError(f"cannot use {path}: {again}") from again


def _is_corruption(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _check_and_migrate(path: Path) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"integrity check: {verdict}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(f"{path} was written by a newer release (schema {version}, ours is {len(MIGRATIONS)})")
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            connection.execute("BEGIN IMMEDIATE")
            for statement in statements:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={number}")
            connection.execute("COMMIT")
    finally:
        connection.close()


def _move_aside(path: Path, now: datetime) -> Path:
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    for suffix in SIDE_FILES:
        source = Path(f"{path}{suffix}")
        if source.exists():
            os.replace(source, f"{aside}{suffix}")
    return aside


def size_bytes(path: Path) -> int:
    """The bytes that the file and its log take on disk."""
    total = 0
    for suffix in SIDE_FILES:
        try:
            total += os.stat(f"{path}{suffix}").st_size
        except FileNotFoundError:
            continue
    return total
