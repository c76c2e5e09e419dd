"""The largest sources, reporters and failing domains."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from exporter.model.report_words import ReportKind
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.queries import Fields

_SOURCES = """
    SELECT r.source_ip AS source,
        CAST(total(r.messages) AS INTEGER) AS messages,
        CAST(total(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN r.messages END) AS INTEGER) AS aligned,
        CAST(total(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN 0 ELSE r.messages END) AS INTEGER) AS failed,
        count(DISTINCT report.reporter) AS reporters,
        count(DISTINCT report.domain) AS domains,
        min(report.begins_at) AS first_at,
        max(report.ends_at) AS last_at
    FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE {condition}
    GROUP BY r.source_ip
"""
_REPORTERS = """
    SELECT report.reporter AS reporter,
        count(*) AS reports,
        group_concat(DISTINCT report.kind) AS kinds,
        count(DISTINCT report.domain) AS domains,
        CAST(total(report.passed) AS INTEGER) AS passed,
        CAST(total(report.failed) AS INTEGER) AS failed,
        max(report.received_at) AS last_at
    FROM report WHERE {condition}
    GROUP BY report.reporter
"""
_DOMAINS = """
    SELECT report.domain AS domain,
        CAST(total(report.failed) AS INTEGER) AS failed,
        CAST(total(report.passed) AS INTEGER) AS aligned,
        count(*) AS reports,
        count(DISTINCT report.reporter) AS reporters,
        max(report.ends_at) AS last_at
    FROM report WHERE {condition}
    GROUP BY report.domain
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """
    A ranking.

    Attributes:
        sql: All rows, unordered.
        order: The column to order by, largest first.
        name: The column that identifies a row.
    """

    sql: str
    parameters: Sequence[object]
    order: str
    name: str


def sources(wanted: ReportFilter) -> Top:
    """Rank source addresses in DMARC reports by messages; with a result filter, by messages of that result."""
    column = _column(wanted.result)
    return _top(_SOURCES, _dmarc(wanted), order=column, name="source")


def reporters(wanted: ReportFilter) -> Top:
    """Rank reporters of all kinds by number of reports."""
    return _top(_REPORTERS, wanted, order="reports", name="reporter")


def domains(wanted: ReportFilter) -> Top:
    """Rank domains by messages that failed DMARC."""
    return _top(_DOMAINS, _dmarc(wanted), order="failed", name="domain")


def first_of(connection: sqlite3.Connection, top: Top, *, most: int) -> Sequence[Fields]:
    """Return the first *most* rows."""
    sql = f"{top.sql} ORDER BY {top.order} DESC, {top.name} LIMIT ?"
    return [dict(row) for row in connection.execute(sql, [*top.parameters, most])]


def total_of(connection: sqlite3.Connection, top: Top) -> tuple[int, int]:
    """Return the number of rows, and the sum of the column that orders them."""
    sql = f"SELECT count(*), CAST(total({top.order}) AS INTEGER) FROM ({top.sql})"  # noqa: S608 - our own SQL
    row = connection.execute(sql, list(top.parameters)).fetchone()
    return row[0], row[1]


def _dmarc(wanted: ReportFilter) -> ReportFilter:
    return replace(wanted, kind=ReportKind.DMARC)


def _column(result: str | None) -> str:
    return {"aligned": "aligned", "success": "aligned", "pass": "aligned", None: "messages"}.get(result, "failed")


def _top(template: str, wanted: ReportFilter, *, order: str, name: str) -> Top:
    """Build a ranking without zeros, filtered outside of the grouping: ``report`` has columns of these names."""
    condition, parameters = wanted.condition()
    sql = f"SELECT * FROM ({template.format(condition=condition)}) WHERE {order} > 0"  # noqa: S608 - our own texts
    return Top(sql=sql, parameters=parameters, order=order, name=name)
