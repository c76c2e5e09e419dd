"""Deletes reports, by the daemon's retention or on request; a running daemon is not disturbed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from exporter.store.connection import transaction
from exporter.store.patience import Patience
from exporter.store.reports.dmarc.networks import forget_sources
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.sums import FORGET_SUMS
from exporter.store.store import Store

PRUNE_BATCH = 200
"""Reports deleted per transaction, so that other writers do not wait long."""


async def prune_batch(store: Store, *, before: datetime, batch: int = PRUNE_BATCH) -> int:
    """
    Delete up to *batch* reports, as many rejected ones and as many known sources, that were last received *before*.

    Returns the largest of the numbers; fewer than *batch* means that nothing is left.
    """

    def prune(connection: sqlite3.Connection) -> int:
        reports = _delete_oldest(connection, ReportFilter(), before, batch)
        cursor = connection.execute(
            "DELETE FROM report_rejected WHERE id IN"
            " (SELECT id FROM report_rejected WHERE received_at < ? ORDER BY received_at LIMIT ?)",
            (int(before.timestamp()), batch),
        )
        sources = forget_sources(connection, int(before.timestamp()), batch)
        return max(reports, cursor.rowcount, sources)

    return await store.write(prune)


def count_older(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> tuple[int, int]:
    """Return the numbers of *wanted* reports and of rejected reports that were received *before*."""
    condition, parameters = wanted.condition()
    sql = f"SELECT count(*) FROM report WHERE received_at < ? AND {condition}"  # noqa: S608 - the condition consists of our own SQL
    reports = connection.execute(sql, [int(before.timestamp()), *parameters]).fetchone()[0]
    rejected = connection.execute(f"SELECT count(*) {_REJECTED}", _rejected(wanted, before)).fetchone()[0]
    return reports, rejected


def prune_reports(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> Iterator[int]:
    """Delete the *wanted* reports received *before*; yield their number after each transaction."""
    while True:
        with transaction(connection, Patience()):
            count = _delete_oldest(connection, wanted, before, PRUNE_BATCH)
        if count:
            yield count
        if count < PRUNE_BATCH:
            return


def prune_rejected(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> int:
    """Delete the rejected reports received *before* of the wanted server and kind; return their number."""
    with transaction(connection, Patience()):
        cursor = connection.execute(f"DELETE {_REJECTED}", _rejected(wanted, before))
    return cursor.rowcount


def _delete_oldest(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime, most: int) -> int:
    """Delete up to *most* reports, subtract them from the sums, and return their number."""
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
