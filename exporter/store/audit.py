"""
The record of what operators have changed: written before and after each change, kept for `KEPT_DAYS`.

A row names a message by its id, never an address. `exporter.store.reading.writing` opens the file beside a
running daemon.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from exporter.store.connection import transaction
from exporter.store.patience import Patience

KEPT_DAYS = 400
"""More than a year, like reports."""

REQUESTED = "requested"
"""The result of a row whose command ended before it knew the effect."""

AUDIT_TABLES = (
    """
    CREATE TABLE operator_audit (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        os_user TEXT NOT NULL,
        server TEXT NOT NULL,
        action TEXT NOT NULL,
        message_id TEXT NOT NULL,
        recipients INTEGER NOT NULL,
        selection TEXT NOT NULL,
        result TEXT NOT NULL,
        detail TEXT NOT NULL
    )
    """,
    "CREATE INDEX operator_audit_at ON operator_audit (at)",
)

COUNTED_TABLES = ("operator_audit",)
"""The tables whose rows are counted in ``stalwart_exporter_store_rows``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """
    A change that is about to be requested.

    Attributes:
        os_user: The operating system's user, and whoever became that user by sudo.
        message_id: Empty if the whole queue is paused or resumed.
        recipients: How many recipients of the message; 0: the message as a whole.
        selection: The filter that selected the message, without addresses.
    """

    at: datetime
    os_user: str
    server: str
    action: str
    message_id: str
    recipients: int
    selection: str


def begin_entry(connection: sqlite3.Connection, entry: AuditEntry) -> int:
    """Write a row in a transaction of its own; return its number."""
    with transaction(connection, Patience()):
        cursor = connection.execute(
            "INSERT INTO operator_audit"
            " (at, os_user, server, action, message_id, recipients, selection, result, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, '')",
            (
                int(entry.at.timestamp()),
                entry.os_user,
                entry.server,
                entry.action,
                entry.message_id,
                entry.recipients,
                entry.selection,
                REQUESTED,
            ),
        )
    return cursor.lastrowid or 0


def end_entry(connection: sqlite3.Connection, number: int, *, result: str, detail: str) -> None:
    """Complete a row in a transaction of its own."""
    with transaction(connection, Patience()):
        connection.execute("UPDATE operator_audit SET result = ?, detail = ? WHERE id = ?", (result, detail, number))


def forget_entries(connection: sqlite3.Connection, *, now: datetime) -> None:
    """Delete the rows that are older than `KEPT_DAYS`; fails if the file cannot be written."""
    before = int((now - timedelta(days=KEPT_DAYS)).timestamp())
    with transaction(connection, Patience()):
        connection.execute("DELETE FROM operator_audit WHERE at < ?", (before,))


def audit_entries(
    connection: sqlite3.Connection, *, server: str | None, message_id: str | None, most: int
) -> Sequence[sqlite3.Row]:
    """Return the newest rows first, their columns by name."""
    return connection.execute(
        "SELECT at, os_user, server, action, message_id, recipients, selection, result, detail FROM operator_audit"
        " WHERE (?1 IS NULL OR server = ?1) AND (?2 IS NULL OR message_id = ?2) ORDER BY at DESC, id DESC LIMIT ?3",
        (server, message_id, most),
    ).fetchall()
