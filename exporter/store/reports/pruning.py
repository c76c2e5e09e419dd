"""Deleting reports: by the daemon's retention, or on request, beside the daemon if it runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from exporter.store.connection import transaction
from exporter.store.patience import Patience
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.sums import FORGET_SUMS
from exporter.store.store import Store

PRUNE_BATCH = 200
"""Reports deleted in one transaction: others wait for it."""


async def prune_batch(store: Store, *, before: datetime, batch: int = PRUNE_BATCH) -> int:
    """
    Deletes up to *batch* of the reports, and of those rejected, that were received *before*; how many there were.

    Fewer than *batch* means that there are no more.
    """

    def prune(connection: sqlite3.Connection) -> int:
        reports = _delete_oldest(connection, ReportFilter(), before, batch)
        cursor = connection.execute(
            "DELETE FROM report_rejected WHERE id IN"
            " (SELECT id FROM report_rejected WHERE received_at < ? ORDER BY received_at LIMIT ?)",
            (int(before.timestamp()), batch),
        )
        return max(reports, cursor.rowcount)

    return await store.write(prune)


def count_older(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> tuple[int, int]:
    """How many reports received *before* are *wanted*, and how many rejected ones of that server and kind."""
    condition, parameters = wanted.condition()
    sql = f"SELECT count(*) FROM report WHERE received_at < ? AND {condition}"  # noqa: S608 - the condition is made of our own texts
    reports = connection.execute(sql, [int(before.timestamp()), *parameters]).fetchone()[0]
    rejected = connection.execute(f"SELECT count(*) {_REJECTED}", _rejected(wanted, before)).fetchone()[0]
    return reports, rejected


def prune_reports(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> Iterator[int]:
    """Deletes the reports received *before* that are *wanted*, and yields how many after each transaction."""
    while True:
        with transaction(connection, Patience()):
            count = _delete_oldest(connection, wanted, before, PRUNE_BATCH)
        if count:
            yield count
        if count < PRUNE_BATCH:
            return


def prune_rejected(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> int:
    """Deletes what was received *before* and rejected, of the wanted server and kind; how many."""
    with transaction(connection, Patience()):
        cursor = connection.execute(f"DELETE {_REJECTED}", _rejected(wanted, before))
    return cursor.rowcount


def _delete_oldest(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime, most: int) -> int:
    """Deletes up to *most* of the reports, takes them out of the sums, and returns how many there were."""
    condition, parameters = wanted.condition()
    sql = f"SELECT id FROM report WHERE received_at < ? AND {condition} ORDER BY received_at LIMIT ?"  # noqa: S608 - as above
    found = connection.execute(sql, [int(before.timestamp()), *parameters, most]).fetchall()
    ids = json.dumps([row[0] for row in found])
    for statement in FORGET_SUMS:
        connection.execute(statement, (ids,))
    return len(found)


_REJECTED = "FROM report_rejected WHERE received_at < ?1 AND (?2 IS NULL OR server = ?2) AND (?3 IS NULL OR kind = ?3)"


def _rejected(wanted: ReportFilter, before: datetime) -> tuple[object, ...]:
    return int(before.timestamp()), wanted.server, wanted.kind and wanted.kind.value
