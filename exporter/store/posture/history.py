"""The checks' history as the daemon uses it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.model.posture import Check, CheckResult, CheckState
from exporter.store.posture.details import pack_details
from exporter.store.posture.reporters import Expected, expected_reports
from exporter.store.store import Store

Key = tuple[str, Check]
"""A domain and a check."""

KEPT_CHANGES = 100
"""Changes that are kept of each check of a domain."""

KEPT_SECONDS = 400 * 86_400
"""How long changes are kept, also those of domains that no longer exist."""

_SAVE = """
    INSERT INTO posture (server, domain, check_name, result, known, changed_at, checked_at, detail)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (server, domain, check_name) DO UPDATE SET result = excluded.result, known = excluded.known,
        changed_at = excluded.changed_at, checked_at = excluded.checked_at, detail = excluded.detail
"""
_CHANGE = (
    "INSERT OR REPLACE INTO posture_change (server, domain, check_name, at, result, seen) VALUES (?, ?, ?, ?, ?, ?)"
)
_TRIM = """
    DELETE FROM posture_change WHERE server = ? AND domain = ? AND check_name = ? AND at NOT IN (
        SELECT at FROM posture_change WHERE server = ? AND domain = ? AND check_name = ? ORDER BY at DESC LIMIT ?)
"""
_FORGET = """
    DELETE FROM posture WHERE server = ? AND (domain, check_name) IN (
        SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))
"""


@dataclass(frozen=True, slots=True)
class Since:
    """
    When a check's result last changed, see `CheckState`.

    Attributes:
        result, checked_at: Of the latest run; ``None`` if they do not matter.
    """

    known: CheckResult | None
    changed_at: int | None
    result: CheckResult | None = field(default=None, compare=False)
    checked_at: int | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Change:
    """A result that changed between good and bad, or that was seen for the first time."""

    domain: str
    check: Check
    at: int
    result: CheckResult
    seen: str


class PostureHistory:
    """The history of one server's checks."""

    def __init__(self, store: Store, server: str) -> None:
        self._store = store
        self._server = server

    async def load(self) -> Mapping[Key, Since]:
        """Return when each known check last changed, and its latest result. Raises `StoreError`."""
        rows = await self._store.read(
            "SELECT domain, check_name, known, changed_at, result, checked_at FROM posture WHERE server = ?",
            (self._server,),
        )
        names = frozenset(Check)
        return {
            (domain, Check(check)): Since(
                None if known is None else CheckResult(known), changed_at, CheckResult(result), checked_at
            )
            for domain, check, known, changed_at, result, checked_at in rows
            if check in names
        }

    async def expected_reports(self, *, since: int, until: int, at_least: int) -> Mapping[str, Sequence[Expected]]:
        """Return who should have reported about each domain; see `exporter.store.posture.reporters`."""
        return await expected_reports(self._store, self._server, since=since, until=until, at_least=at_least)

    async def save(self, states: Sequence[CheckState], changes: Sequence[Change], gone: Collection[Key] = ()) -> None:
        """Write *states* and *changes*, and delete the states of *gone*; their changes stay. Raises `StoreError`."""

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_SAVE, [self._row(state) for state in states])
            for change in changes:
                key = (self._server, change.domain, change.check.value)
                connection.execute(_CHANGE, (*key, change.at, change.result.value, change.seen))
                connection.execute(_TRIM, (*key, *key, KEPT_CHANGES))
            if changes:
                oldest = max(change.at for change in changes) - KEPT_SECONDS
                connection.execute("DELETE FROM posture_change WHERE server = ? AND at < ?", (self._server, oldest))
            if gone:
                connection.execute(_FORGET, (self._server, json.dumps([list(key) for key in gone])))

        await self._store.write(write)

    def _row(self, state: CheckState) -> tuple[object, ...]:
        outcome = state.outcome
        return (
            self._server,
            outcome.domain,
            outcome.check.value,
            outcome.result.value,
            None if state.known is None else state.known.value,
            state.changed_at,
            state.checked_at,
            pack_details(outcome),
        )
