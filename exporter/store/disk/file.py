"""Opens the history file: checked, migrated and private to its owner; a corrupt file is moved aside, never deleted."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from datetime import datetime
from pathlib import Path

import structlog

from exporter.errors import StoreError
from exporter.store.disk.lock import OWNER_ONLY, SIDE_FILES, make_private
from exporter.store.patience import Patience
from exporter.store.schema import MIGRATIONS

log = structlog.get_logger("exporter.store")


def check_place(path: Path) -> None:
    """
    Raise `StoreError` if no history file can be kept at *path*.

    Leaves nothing behind and takes no lock, so it can be called while a daemon is running.
    """
    folder = path.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".stalwart-exporter-", dir=folder):
            pass
        if path.exists():
            if not path.is_file():
                raise StoreError(f"cannot use {path}: it is not a regular file")
            with path.open("r+b"):
                pass
    except OSError as error:
        raise StoreError(f"cannot write to the directory of {path}: {error.strerror}") from error


def prepare(path: Path, *, now: datetime, patience: Patience) -> None:
    """
    Make *path* a valid history file of the newest schema; blocks.

    A file that SQLite cannot read is moved aside under its name with ``.corrupt-<time>``, and a new one is created.
    Raises `StoreError` if the file cannot be used, or was written by a newer release.
    """
    make_private(path)
    try:
        patience.retry(lambda: _check_and_migrate(path, patience))
    except sqlite3.DatabaseError as error:
        if not _is_corruption(error):
            raise StoreError(f"cannot use {path}: {error}") from error
        aside = _move_aside(path, now)
        log.error("store.corruption_found", path=str(path), moved_to=str(aside), error=str(error))
        # SQLite gives its WAL and shared-memory files the permissions of the main file.
        path.touch(mode=OWNER_ONLY)
        try:
            _check_and_migrate(path, patience)
        except sqlite3.Error as again:
            raise StoreError(f"cannot use {path}: {again}") from again


def _is_corruption(error: sqlite3.DatabaseError) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is None or code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _check_and_migrate(path: Path, patience: Patience) -> None:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        patience.watch(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"integrity check: {verdict}")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            raise StoreError(
                f"{path} was written by a newer release (schema {version}, this release supports {len(MIGRATIONS)})"
            )
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
    """Return the size on disk of the file, its WAL and its shared memory, in bytes."""
    total = 0
    for suffix in SIDE_FILES:
        try:
            total += os.stat(f"{path}{suffix}").st_size
        except FileNotFoundError:
            continue
    return total
