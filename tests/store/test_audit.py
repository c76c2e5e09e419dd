"""The record of operators' changes, written beside whoever else uses the file."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.store.audit import KEPT_DAYS, REQUESTED, AuditEntry, audit_entries, begin_entry, end_entry, forget_entries
from exporter.store.reading import reading, writing
from exporter.store.store import Store

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def entry(at: datetime = NOW, **changes: str) -> AuditEntry:
    settings = {"os_user": "root", "server": "mx1", "action": "retry", "message_id": "7", "selection": "ids"}
    return AuditEntry(at=at, recipients=0, **{**settings, **changes})


def test_a_change_is_recorded_before_and_after_it_is_made(tmp_path: Path) -> None:
    """Also while the daemon has the file open; what a killed command leaves is the request."""
    path = tmp_path / "history.sqlite3"

    async def beside_the_daemon() -> list[tuple[str, str]]:
        store = await Store.open(path, now=NOW)
        try:
            with writing(path) as connection:
                begin_entry(connection, entry(action="cancel"))
                end_entry(connection, begin_entry(connection, entry()), result="applied", detail="attempted")
            with reading(path) as connection:
                rows = audit_entries(connection, server="mx1", message_id=None, most=10)
                return [(row["action"], row["result"]) for row in rows]
        finally:
            await store.aclose()

    assert asyncio.run(beside_the_daemon()) == [("retry", "applied"), ("cancel", REQUESTED)]


def test_old_records_are_forgotten(tmp_path: Path) -> None:
    """After more than a year."""
    path = tmp_path / "history.sqlite3"
    asyncio.run(_make(path))

    with writing(path) as connection:
        begin_entry(connection, entry(NOW - timedelta(days=KEPT_DAYS + 1), message_id="old"))
        begin_entry(connection, entry(NOW - timedelta(days=KEPT_DAYS - 1), message_id="kept"))
        forget_entries(connection, now=NOW)
        rows = audit_entries(connection, server=None, message_id=None, most=10)

    assert [row["message_id"] for row in rows] == ["kept"]


def test_records_are_found_by_server_and_message(tmp_path: Path) -> None:
    """Newest first, at most so many."""
    path = tmp_path / "history.sqlite3"
    asyncio.run(_make(path))

    with writing(path) as connection:
        for number in range(3):
            begin_entry(connection, entry(NOW + timedelta(seconds=number), message_id=str(number % 2), server="mx2"))
        begin_entry(connection, entry())
        of_server = audit_entries(connection, server="mx2", message_id=None, most=2)
        of_message = audit_entries(connection, server="mx2", message_id="0", most=10)

    assert [row["message_id"] for row in of_server] == ["0", "1"]
    assert len(of_message) == 2


async def _make(path: Path) -> None:
    await (await Store.open(path, now=NOW)).aclose()
