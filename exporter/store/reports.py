"""The report history as the daemon uses it: what is known, what is written, what is summed, what is forgotten."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import aiosqlite

from exporter.model.report_words import ReportKind
from exporter.model.reports import IncomingReport, UnreadableReport
from exporter.store.report_rows import ReportRows, identity_of
from exporter.store.report_sums import FORGET_SUMS, LAST_HEARD, window_query
from exporter.store.reports_schema import SEEN_SOURCE
from exporter.store.store import RowWriter, Store

LARGE_BYTES = 256 * 1024
"""From this size on, rows are made outside of the event loop."""

MOST_PARAMETERS = 500
"""Of one statement; SQLite takes 999 at least."""

PRUNE_BATCH = 200
"""Reports deleted in one transaction: others wait for it."""

Incoming = IncomingReport | UnreadableReport


class ReportHistory:
    """
    The reports of one server. Every method raises `StoreError` when the file cannot be used now.

    Only one task writes reports of a server; what it finds not to be known is so until it writes it.
    """

    def __init__(self, store: Store, server: str) -> None:
        self._store = store
        self._server = server

    async def unseen(self, kind: ReportKind, ids: Sequence[str]) -> list[str]:
        """Those of *ids* that are not accounted for, in their order."""
        rows = await self._store.read(
            "SELECT value FROM json_each(?) WHERE NOT EXISTS"
            " (SELECT 1 FROM seen WHERE server = ? AND source = ? AND id = value) ORDER BY key",
            (json.dumps(ids), self._server, seen_source(kind)),
        )
        return [row[0] for row in rows]

    async def new_among(self, reports: Sequence[Incoming]) -> dict[int, bytes]:
        """Of the readable *reports* those that the history does not have yet: their places and identities."""
        identities: dict[tuple[str, bytes], int] = {}
        for place, report in enumerate(reports):
            if isinstance(report, IncomingReport):
                identities.setdefault((report.kind.value, identity_of(report)), place)
        known = await self._known(identities)
        return {place: key[1] for key, place in identities.items() if key not in known}

    async def _known(self, identities: Iterable[tuple[str, bytes]]) -> set[tuple[str, bytes]]:
        by_kind: dict[str, list[bytes]] = {}
        for kind, identity in identities:
            by_kind.setdefault(kind, []).append(identity)
        known = set()
        for kind, wanted in by_kind.items():
            for start in range(0, len(wanted), MOST_PARAMETERS):
                part = wanted[start : start + MOST_PARAMETERS]
                marks = ", ".join("?" * len(part))
                sql = f"SELECT identity FROM report WHERE server = ? AND kind = ? AND identity IN ({marks})"  # noqa: S608 - marks only
                rows = await self._store.read(sql, (self._server, kind, *part))
                known |= {(kind, row[0]) for row in rows}
        return known

    async def writer(self, reports: Sequence[Incoming], new: Mapping[int, bytes], *, now: datetime) -> RowWriter:
        """What writes those *reports* that are *new* and sets aside those that could not be read."""
        rows = ReportRows(self._server, await self._store.take_ids("report", len(new)))
        if sum(len(report.raw) for report in reports) < LARGE_BYTES:
            _fill(rows, reports, new, now)
        else:
            await asyncio.to_thread(_fill, rows, reports, new, now)

        async def write(connection: aiosqlite.Connection) -> None:
            for sql, values in rows.statements():
                await connection.executemany(sql, values)

        return write

    async def forget_seen(self, kind: ReportKind, listed: Iterable[str], *, before: datetime) -> int:
        """Drops the ids that the server has not *listed* any more and that were noted *before*; how many."""
        async with self._store.transaction() as connection:
            cursor = await connection.execute(
                "DELETE FROM seen WHERE server = ? AND source = ? AND at < ?"
                " AND id NOT IN (SELECT value FROM json_each(?))",
                (self._server, seen_source(kind), int(before.timestamp()), json.dumps(list(listed))),
            )
            return cursor.rowcount

    async def dmarc_windows(self, now: datetime, days: Sequence[int]) -> Mapping[int, Mapping[str, tuple[int, int]]]:
        """Aligned and failed messages by domain, of reports that end within the last so many days of *now*."""
        windows = {}
        for length in days:
            sql, parameters = window_query(self._server, int(now.timestamp()), length)
            windows[length] = {row[0]: (int(row[1]), int(row[2])) for row in await self._store.read(sql, parameters)}
        return windows

    async def last_heard(self, *, most: int) -> Sequence[tuple[str | None, str | None, int, int]]:
        """
        When DMARC reporters were last heard of a domain: domain, reporter, Unix seconds, and how many pairs that is.

        The *most* busy domains and reporters by name, the others together under ``None``.
        """
        rows = await self._store.read(LAST_HEARD, {"server": self._server, "most": most})
        return [(row[0], row[1], row[2], row[3]) for row in rows]


def _fill(rows: ReportRows, reports: Sequence[Incoming], new: Mapping[int, bytes], now: datetime) -> None:
    for place, report in enumerate(reports):
        if isinstance(report, UnreadableReport):
            rows.reject(report, now)
        elif place in new:
            rows.add(report, new[place])


def seen_source(kind: ReportKind) -> str:
    """Under which source the ids of *kind* are noted."""
    return SEEN_SOURCE.format(kind=kind.value)


async def prune_batch(store: Store, *, before: datetime, batch: int = PRUNE_BATCH) -> int:
    """
    Deletes up to *batch* of the reports, and of those rejected, that were received *before*; how many there were.

    Sums move in the same transaction. Fewer than *batch* means that there are no more.
    """
    cutoff = int(before.timestamp())
    async with store.transaction() as connection:
        found = await connection.execute_fetchall(
            "SELECT id FROM report WHERE received_at < ? ORDER BY received_at LIMIT ?", (cutoff, batch)
        )
        ids = json.dumps([row[0] for row in found])
        for sql in FORGET_SUMS:
            await connection.execute(sql, (ids,))
        cursor = await connection.execute(
            "DELETE FROM report_rejected WHERE id IN"
            " (SELECT id FROM report_rejected WHERE received_at < ? ORDER BY received_at LIMIT ?)",
            (cutoff, batch),
        )
        return max(len(list(found)), cursor.rowcount)
