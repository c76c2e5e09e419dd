"""Deleting reports on request: by the same steps as the daemon's own retention, beside it if it runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime

from exporter.store.connection import transaction
from exporter.store.patience import Patience
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.sums import FORGET_SUMS

BATCH = 200


def count_older(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> tuple[int, int]:
    """How many reports received *before* are *wanted*, and how many rejected ones of that server and kind."""
    condition, parameters = wanted.condition()
    sql = f"SELECT count(*) FROM report WHERE received_at < ? AND {condition}"  # noqa: S608 - the condition is made of our own texts
    reports = connection.execute(sql, [int(before.timestamp()), *parameters]).fetchone()[0]
    rejected = connection.execute(f"SELECT count(*) {_REJECTED}", _rejected(wanted, before)).fetchone()[0]
    return reports, rejected


def prune_reports(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> Iterator[int]:
    """Deletes the reports received *before* that are *wanted*, and yields how many after each transaction."""
    condition, parameters = wanted.condition()
    sql = f"SELECT id FROM report WHERE received_at < ? AND {condition} ORDER BY received_at LIMIT ?"  # noqa: S608 - as above
    while True:
        with transaction(connection, Patience()):
            found = connection.execute(sql, [int(before.timestamp()), *parameters, BATCH]).fetchall()
            ids = json.dumps([row[0] for row in found])
            for statement in FORGET_SUMS:
                connection.execute(statement, (ids,))
        if found:
            yield len(found)
        if len(found) < BATCH:
            return


def prune_rejected(connection: sqlite3.Connection, wanted: ReportFilter, before: datetime) -> int:
    """Deletes what was received *before* and rejected, of the wanted server and kind; how many."""
    with transaction(connection, Patience()):
        cursor = connection.execute(f"DELETE {_REJECTED}", _rejected(wanted, before))
    return cursor.rowcount


_REJECTED = "FROM report_rejected WHERE received_at < ?1 AND (?2 IS NULL OR server = ?2) AND (?3 IS NULL OR kind = ?3)"


def _rejected(wanted: ReportFilter, before: datetime) -> tuple[object, ...]:
    return int(before.timestamp()), wanted.server, wanted.kind and wanted.kind.value
