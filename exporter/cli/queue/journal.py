"""Writes the record of changes to the history file."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from exporter.cli.queue.connection import Site
from exporter.printable import harmless
from exporter.stalwart.operator.effects import Effect
from exporter.stalwart.operator.journal import Journal
from exporter.store.audit import AuditEntry, begin_entry, end_entry, forget_entries
from exporter.store.reading import History, writing


class _FileJournal:
    def __init__(self, connection: History, *, server: str, selection: str) -> None:
        self._connection = connection
        self._server = server
        self._selection = selection
        self._user = _user()

    def begin(self, action: str, message_id: str, recipients: int) -> int:
        entry = AuditEntry(
            at=datetime.now(UTC),
            os_user=self._user,
            server=self._server,
            action=action,
            message_id=message_id,
            recipients=recipients,
            selection=self._selection,
        )
        return begin_entry(self._connection, entry)

    def end(self, number: int, effect: Effect) -> None:
        end_entry(self._connection, number, result=effect.result.value, detail=effect.detail)


class _NoJournal:
    def begin(self, action: str, message_id: str, recipients: int) -> int:
        return 0

    def end(self, number: int, effect: Effect) -> None:
        return


@contextmanager
def recording(site: Site, *, selection: str, audit: bool) -> Iterator[Journal]:
    """
    Open the history file for the record, beside a running daemon; without *audit*, record nothing.

    Raises `StoreError` if the file cannot be written, before anything is changed.
    """
    if not audit:
        yield _NoJournal()
        return
    with writing(site.history) as connection:
        forget_entries(connection, now=datetime.now(UTC))
        yield _FileJournal(connection, server=site.server.name, selection=selection)


def _user() -> str:
    """Return the operating system's user, and the one who became it by sudo."""
    number = os.geteuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    before = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo: {harmless(before, 64)})" if before and before != name else name
