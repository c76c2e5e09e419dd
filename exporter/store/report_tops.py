"""Who stands out: sources, reporters and failing domains, and how a domain has fared."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from exporter.model.report_words import ReportKind
from exporter.store.report_filter import ReportFilter
from exporter.store.report_queries import Fields

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
    GROUP BY r.source_ip HAVING {having} ORDER BY {order} DESC, r.source_ip LIMIT ?
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
    GROUP BY report.reporter ORDER BY {order} DESC, report.reporter LIMIT ?
"""
_DOMAINS = """
    SELECT report.domain AS domain,
        CAST(total(report.failed) AS INTEGER) AS failed,
        CAST(total(report.passed) AS INTEGER) AS aligned,
        count(*) AS reports,
        count(DISTINCT report.reporter) AS reporters,
        max(report.ends_at) AS last_at
    FROM report WHERE {condition}
    GROUP BY report.domain HAVING {having} ORDER BY {order} DESC, report.domain LIMIT ?
"""


def top_sources(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """Addresses that DMARC reports name, by messages; with a result asked for, by messages of that result."""
    column = _column(wanted.result)
    return _ask(connection, _SOURCES, _dmarc(wanted), most, having=f"{column} > 0", order=column)


def top_reporters(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """Reporters of all kinds, by reports."""
    return _ask(connection, _REPORTERS, wanted, most, order="reports")


def top_domains(connection: sqlite3.Connection, wanted: ReportFilter, *, most: int) -> Sequence[Fields]:
    """Domains by messages that failed DMARC."""
    return _ask(connection, _DOMAINS, _dmarc(wanted), most, having="failed > 0", order="failed")


def _dmarc(wanted: ReportFilter) -> ReportFilter:
    return replace(wanted, kind=ReportKind.DMARC)


def _column(result: str | None) -> str:
    return {"aligned": "aligned", "success": "aligned", "pass": "aligned", None: "messages"}.get(result, "failed")


def _ask(
    connection: sqlite3.Connection, template: str, wanted: ReportFilter, most: int, **words: str
) -> Sequence[Fields]:
    condition, parameters = wanted.condition()
    sql = template.format(condition=condition, **words)
    return [dict(row) for row in connection.execute(sql, [*parameters, most])]
