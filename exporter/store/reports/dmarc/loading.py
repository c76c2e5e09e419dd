"""Reads a domain's readiness from the history; for the command line, the daemon and pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime

from exporter.store.reports.dmarc.readiness import Data, FailingSource, Readiness, SourceKind, judge, kind_of
from exporter.store.reports.dmarc.sources import UNNAMED, OwnSide, SourceName, load_names, load_own_side
from exporter.store.reports.sums import DAY_SECONDS

DAYS = 30
"""The usual window."""

MOST_SOURCES = 10_000
"""Failing sources that are looked at one by one, the largest; the rest count as strangers."""

_BATCH = 500

_DOMAINS = """
    SELECT domain, sum(passed + failed) AS messages FROM report
    WHERE kind = 'dmarc' AND (:server IS NULL OR server = :server) AND ends_at > :begin AND ends_at <= :now
    GROUP BY domain ORDER BY messages DESC, domain LIMIT :most
"""
_WINDOW = """
    report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
    AND report.ends_at > :begin AND report.ends_at <= :now
"""
_SUMS = f"""
    SELECT CAST(total(passed) AS INTEGER), CAST(total(failed) AS INTEGER),
        count(DISTINCT CASE WHEN passed + failed > 0 THEN (ends_at - 1) / {DAY_SECONDS} END),
        count(DISTINCT CASE WHEN passed + failed > 0 THEN reporter END)
    FROM report WHERE {_WINDOW}
"""  # noqa: S608 - nothing but our own words
_NEWEST = """
    SELECT p.policy, p.percent, p.testing, report.ends_at
    FROM report JOIN dmarc_policy AS p ON p.report = report.id
    WHERE report.kind = 'dmarc' AND report.domain = :domain AND (:server IS NULL OR report.server = :server)
        AND report.ends_at <= :now
    ORDER BY report.ends_at DESC, report.id DESC LIMIT 1
"""
_IS_ALIGNED = "(r.dkim = 'pass' OR r.spf = 'pass')"
_PASSES_ELSEWHERE = (
    "EXISTS (SELECT 1 FROM dmarc_auth AS a WHERE a.report = r.report AND a.record = r.record AND a.result = 'pass')"
)
_IS_FORWARDED = (
    "EXISTS (SELECT 1 FROM dmarc_override AS o WHERE o.report = r.report AND o.record = r.record"
    " AND o.reason IN ('forwarded', 'trusted_forwarder', 'mailing_list'))"
)
_FAILING = f"""
    SELECT r.source_ip AS source,
        CAST(total(CASE WHEN {_IS_ALIGNED} THEN r.messages END) AS INTEGER) AS passing,
        CAST(total(CASE WHEN NOT {_IS_ALIGNED} THEN r.messages END) AS INTEGER) AS failing,
        CAST(total(CASE WHEN NOT {_IS_ALIGNED} AND {_PASSES_ELSEWHERE} THEN r.messages END) AS INTEGER)
            AS authenticated,
        CAST(total(CASE WHEN NOT {_IS_ALIGNED} AND {_IS_FORWARDED} THEN r.messages END) AS INTEGER) AS forwarded,
        count(DISTINCT CASE WHEN NOT {_IS_ALIGNED} AND r.messages > 0 THEN (report.ends_at - 1) / {DAY_SECONDS} END)
            AS days
    FROM report JOIN dmarc_record AS r ON r.report = report.id WHERE {_WINDOW}
    GROUP BY r.source_ip HAVING failing > 0 ORDER BY failing DESC, source LIMIT :sources
"""  # noqa: S608 - as above
_SOURCES = f"""
    SELECT count(DISTINCT r.source_ip) FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE {_WINDOW} AND NOT {_IS_ALIGNED} AND r.messages > 0
"""  # noqa: S608 - as above


def reported_domains(
    connection: sqlite3.Connection, *, now: datetime, server: str | None = None, days: int = DAYS, most: int
) -> Sequence[str]:
    """Return the domains that reports of the last *days* are about, those with most messages first."""
    values = {"server": server, "most": most, **_window(now, days)}
    return [row[0] for row in connection.execute(_DOMAINS, values)]


def load_readiness(
    connection: sqlite3.Connection,
    domain: str,
    *,
    now: datetime,
    server: str | None = None,
    days: int = DAYS,
    most: int = 10,
) -> Readiness | None:
    """
    Return whether *domain* is ready for its next policy by the reports of the last *days*; ``None`` without reports.

    *most* limits the sources that are listed. Reads every record of the window.
    """
    values = {"domain": domain, "server": server, "sources": MOST_SOURCES, **_window(now, days)}
    newest = connection.execute(_NEWEST, values).fetchone()
    if newest is None:
        return None
    aligned, failed, covered, reporters = connection.execute(_SUMS, values).fetchone()
    rows = connection.execute(_FAILING, values).fetchall()
    sources = _sources(connection, rows, load_own_side(connection, domain, server=server), server, covered)
    by_kind: dict[SourceKind, int] = {}
    for source in sources:
        by_kind[source.kind] = by_kind.get(source.kind, 0) + source.failed
    if (rest := failed - sum(by_kind.values())) > 0:
        by_kind[SourceKind.STRANGER] = by_kind.get(SourceKind.STRANGER, 0) + rest
    sources.sort(key=lambda one: (one.kind is SourceKind.STRANGER, -one.failed, one.source))
    return judge(
        Data(
            domain=domain,
            policy={"policy": newest[0], "percent": newest[1], "testing": newest[2]},
            days=covered,
            reporters=reporters,
            silent_days=int(now.timestamp() - newest[3]) // DAY_SECONDS,
            aligned=aligned,
            failed=failed,
            by_kind=by_kind,
            source_count=len(rows) if len(rows) < MOST_SOURCES else connection.execute(_SOURCES, values).fetchone()[0],
            sources=sources[:most],
        )
    )


def _window(now: datetime, days: int) -> Mapping[str, int]:
    end = int(now.timestamp())
    return {"begin": end - days * DAY_SECONDS, "now": end}


def _sources(
    connection: sqlite3.Connection, rows: Sequence[sqlite3.Row], own: OwnSide, server: str | None, of_days: int
) -> list[FailingSource]:
    found = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        names = load_names(connection, [row[0] for row in batch], server=server)
        found += [_source(row, names.get(row[0], UNNAMED), own, of_days) for row in batch]
    return found


def _source(row: sqlite3.Row, known: SourceName, own: OwnSide, of_days: int) -> FailingSource:
    source, aligned, failed, authenticated, forwarded, days = row
    sender = known.known
    kind = kind_of(
        ours=own.has(source, known.name),
        known="" if sender is None else sender.kind.value,
        aligned=aligned,
        failed=failed,
        authenticated=authenticated,
        forwarded=forwarded,
        days=days,
        of_days=of_days,
    )
    return FailingSource(
        source=source,
        kind=kind,
        name=known.name,
        sender=known.sender,
        aligned=aligned,
        failed=failed,
        authenticated=authenticated,
        forwarded=forwarded,
        days=days,
    )
