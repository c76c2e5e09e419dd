"""DMARC results of one domain: over time, by source, by reporter, and under a stricter policy."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.store.reports.queries import Fields
from exporter.store.reports.sums import DAY_SECONDS

SILENT_INTERVALS = 3
"""A reporter is silent after missing this many of its usual intervals,"""

SILENT_SECONDS = 3 * DAY_SECONDS
"""and at least this many seconds."""

SILENT_REPORTS = 3
"""A reporter with fewer reports has no usual interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainSummary:
    """
    The results of one domain; sums are of messages.

    Attributes:
        policy: The policy in the newest report; empty if there is none.
        weeks: ``begins_at`` (a Monday), ``aligned``, ``failed``, ``reports``, oldest first.
        window_begins_at: Start of the window for all fields from *aligned* on; Unix seconds.
        first_begins_at: Start of the earliest report; ``first_at`` is the earliest end, ``last_at`` the latest end.
        aligned: Sum within the window, like the numbers below.
        new_sources: Sources that first appear within the window, largest first; ``None`` if there are no earlier
            reports.
        failing_sources: The largest, with ``authenticated`` messages: these passed SPF or DKIM for another domain.
        silent_reporters: Reporters whose reports have stopped.
    """

    domain: str
    policy: Fields
    weeks: Sequence[Fields]
    window_begins_at: int
    first_begins_at: int
    first_at: int
    last_at: int
    reports: int
    aligned: int
    failed: int
    overridden: int
    failing_source_count: int
    failing_sources: Sequence[Fields]
    new_sources: Sequence[Fields] | None
    silent_reporters: Sequence[Fields]


def summarise(
    connection: sqlite3.Connection, domain: str, *, now: datetime, days: int, most: int, server: str | None = None
) -> DomainSummary | None:
    """Summarise the last *days* of *domain*; ``None`` if it has no reports."""
    end = int(now.timestamp())
    begin = end - days * DAY_SECONDS
    values = {"domain": domain, "server": server, "begin": begin, "now": end, "most": most}

    def ask(sql: str) -> list[Fields]:
        return [dict(row) for row in connection.execute(sql, values)]

    span = ask(_SPAN)[0]
    if not span["reports"]:
        return None
    sums = ask(_SUMS)[0]
    return DomainSummary(
        domain=domain,
        policy=next(iter(ask(_POLICY)), {}),
        weeks=ask(_WEEKS),
        window_begins_at=begin,
        first_begins_at=span["first_begins_at"],
        first_at=span["first_at"],
        last_at=span["last_at"],
        reports=span["reports"],
        aligned=sums["aligned"],
        failed=sums["failed"],
        overridden=ask(_OVERRIDDEN)[0]["messages"],
        failing_source_count=ask(_FAILING_COUNT)[0]["sources"],
        failing_sources=ask(_FAILING),
        new_sources=ask(_NEW_SOURCES) if span["first_at"] <= begin else None,
        silent_reporters=silent_reporters(connection, domain, now=now, since=_EVER, server=server),
    )


def silent_reporters(
    connection: sqlite3.Connection, domain: str, *, now: datetime, since: datetime, server: str | None = None
) -> Sequence[Fields]:
    """Return the reporters whose reports, those that ended after *since*, have stopped."""
    end = int(now.timestamp())
    values = {"domain": domain, "server": server, "now": end, "reporters_since": int(since.timestamp())}
    return [row for row in map(dict, connection.execute(_REPORTERS, values)) if _is_silent(row, end)]


def _is_silent(reporter: Fields, now: int) -> bool:
    if reporter["reports"] < SILENT_REPORTS:
        return False
    usual = (reporter["last_at"] - reporter["first_at"]) / (reporter["reports"] - 1)
    return bool(now - reporter["last_at"] > max(SILENT_SECONDS, SILENT_INTERVALS * usual))


_EVER = datetime.fromtimestamp(0, UTC)
_SPAN = """
    SELECT count(*) AS reports, min(begins_at) AS first_begins_at, min(ends_at) AS first_at, max(ends_at) AS last_at
    FROM report WHERE kind = 'dmarc' AND domain = :domain AND (:server IS NULL OR server = :server)
"""
_SUMS = """
    SELECT CAST(total(passed) AS INTEGER) AS aligned, CAST(total(failed) AS INTEGER) AS failed FROM report
    WHERE kind = 'dmarc' AND domain = :domain AND (:server IS NULL OR server = :server)
        AND ends_at > :begin AND ends_at <= :now
"""
_POLICY = """
    SELECT p.policy, p.subdomain_policy, p.nonexistent_policy, p.dkim_alignment, p.spf_alignment, p.percent, p.testing,
        report.reporter, report.ends_at AS seen_at
    FROM report JOIN dmarc_policy AS p ON p.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at <= :now
    ORDER BY report.ends_at DESC, report.id DESC LIMIT 1
"""
# The first Monday after the epoch is 345600 seconds after it.
_WEEKS = """
    SELECT (ends_at - 345600) / 604800 * 604800 + 345600 AS begins_at,
        CAST(total(passed) AS INTEGER) AS aligned, CAST(total(failed) AS INTEGER) AS failed, count(*) AS reports
    FROM report
    WHERE kind = 'dmarc' AND domain = :domain AND (:server IS NULL OR server = :server)
        AND ends_at > :now - 12 * 604800 AND ends_at <= :now
    GROUP BY 1 ORDER BY 1
"""
_OVERRIDDEN = """
    SELECT CAST(total(r.messages) AS INTEGER) AS messages
    FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at > :begin AND report.ends_at <= :now AND NOT (r.dkim = 'pass' OR r.spf = 'pass')
        AND EXISTS (
            SELECT 1 FROM dmarc_override AS o WHERE o.report = r.report AND o.record = r.record
                AND o.reason IN ('forwarded', 'trusted_forwarder', 'mailing_list')
        )
"""
_FAILING_COUNT = """
    SELECT count(DISTINCT r.source_ip) AS sources FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at > :begin AND report.ends_at <= :now
        AND NOT (r.dkim = 'pass' OR r.spf = 'pass') AND r.messages > 0
"""
_FAILING = """
    SELECT r.source_ip AS source, CAST(total(r.messages) AS INTEGER) AS failed,
        CAST(total(
            CASE WHEN EXISTS (
                SELECT 1 FROM dmarc_auth AS a WHERE a.report = r.report AND a.record = r.record AND a.result = 'pass'
            ) THEN r.messages END
        ) AS INTEGER) AS authenticated,
        count(DISTINCT report.reporter) AS reporters
    FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at > :begin AND report.ends_at <= :now
        AND NOT (r.dkim = 'pass' OR r.spf = 'pass') AND r.messages > 0
    GROUP BY r.source_ip ORDER BY failed DESC, source LIMIT :most
"""
_NEW_SOURCES = """
    SELECT r.source_ip AS source, CAST(total(r.messages) AS INTEGER) AS messages,
        CAST(total(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN 0 ELSE r.messages END) AS INTEGER) AS failed,
        min(report.ends_at) AS first_at
    FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at <= :now
    GROUP BY r.source_ip HAVING min(report.ends_at) > :begin ORDER BY messages DESC, source LIMIT :most
"""
_REPORTERS = """
    SELECT reporter, count(*) AS reports, min(ends_at) AS first_at, max(ends_at) AS last_at FROM report
    WHERE kind = 'dmarc' AND domain = :domain AND (:server IS NULL OR server = :server) AND ends_at <= :now
        AND ends_at > :reporters_since
    GROUP BY reporter ORDER BY reports DESC, reporter
"""
