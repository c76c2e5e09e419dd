"""
What reports of all kinds say about one domain within a window: sources, reporters, TLS failures and complaints.

Every query is bounded by the window, since a domain may have millions of records before it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

_ANY = "SELECT 1 FROM report INDEXED BY report_domain WHERE domain = :domain LIMIT 1"
_SOURCES = """
    SELECT r.source_ip AS source, sum(r.messages) AS messages,
        sum(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN r.messages ELSE 0 END) AS aligned,
        sum(CASE WHEN r.dkim = 'pass' THEN r.messages ELSE 0 END) AS dkim,
        sum(CASE WHEN r.spf = 'pass' THEN r.messages ELSE 0 END) AS spf,
        max(report.ends_at) AS last_at
    FROM report INDEXED BY report_domain CROSS JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.domain = :domain AND report.ends_at > :begin AND report.ends_at <= :now AND report.kind = 'dmarc'
        AND (:server IS NULL OR report.server = :server)
    GROUP BY r.source_ip
"""
_REPORTERS = """
    SELECT reporter, count(*) AS reports, sum(passed) AS aligned, sum(failed) AS failed, max(ends_at) AS last_at
    FROM report INDEXED BY report_domain
    WHERE domain = :domain AND ends_at > :begin AND ends_at <= :now AND kind = 'dmarc'
        AND (:server IS NULL OR server = :server)
    GROUP BY reporter ORDER BY count(*) DESC, reporter LIMIT :most
"""
_TLS = """
    SELECT p.successes, p.failures, report.reporter, report.ends_at, report.id, p.policy
    FROM tls_policy AS p INDEXED BY tls_policy_domain CROSS JOIN report ON report.id = p.report
    WHERE p.domain = :domain AND report.ends_at > :begin AND report.ends_at <= :now
        AND (:server IS NULL OR report.server = :server)
"""
_TLS_SUMS = f"SELECT sum(successes) AS passed, sum(failures) AS failed, count(*) AS reports FROM ({_TLS})"  # noqa: S608 - our own words
_TLS_FAILURES = f"""
    SELECT f.result, sum(f.sessions) AS sessions, count(DISTINCT t.reporter) AS reporters, max(t.ends_at) AS last_at
    FROM ({_TLS}) AS t JOIN tls_failure AS f ON f.report = t.id AND f.policy = t.policy
    GROUP BY f.result ORDER BY sum(f.sessions) DESC, f.result LIMIT :most
"""  # noqa: S608 - as above
_COMPLAINTS = """
    SELECT report.id, report.received_at, report.reporter, a.feedback_type, a.incidents, a.source_ip
    FROM report INDEXED BY report_other_domain JOIN arf_feedback AS a ON a.report = report.id
    WHERE report.domain = :domain AND report.kind = 'arf' AND report.kind <> 'dmarc'
        AND report.ends_at > :begin AND report.ends_at <= :now
        AND (:server IS NULL OR report.server = :server)
    ORDER BY report.ends_at DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """
    What is asked about: reports about *domain* that ended after *begin* and until *now*, in Unix seconds.

    Attributes:
        server: ``None`` for all servers.
        most: The most rows of a list.
    """

    domain: str
    server: str | None
    begin: int
    now: int
    most: int

    @property
    def values(self) -> dict[str, object]:
        """The parameters of the queries."""
        return {
            "domain": self.domain,
            "server": self.server,
            "begin": self.begin,
            "now": self.now,
            "most": self.most,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSum:
    """One source address, in messages; *last_at* is when the newest report with it ended."""

    source: str
    messages: int
    aligned: int
    dkim: int
    spf: int
    last_at: int

    @property
    def failed(self) -> int:
        """Messages that failed DMARC."""
        return self.messages - self.aligned


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSums:
    """The sources with most messages, and the number of all."""

    count: int
    largest: Sequence[SourceSum]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReporterSum:
    """One reporter's DMARC reports."""

    reporter: str
    reports: int
    aligned: int
    failed: int
    last_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailureSum:
    """Failed TLS sessions of one kind."""

    result: str
    sessions: int
    reporters: int
    last_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSums:
    """TLS sessions to a domain by the reports of others."""

    reports: int
    passed: int
    failed: int
    failures: Sequence[TlsFailureSum]


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """One feedback report."""

    id: int
    received_at: int
    reporter: str
    feedback_type: str
    incidents: int
    source_ip: str


def has_reports(connection: sqlite3.Connection, domain: str) -> bool:
    """Return whether there is any report about a domain."""
    return connection.execute(_ANY, {"domain": domain}).fetchone() is not None


def source_sums(connection: sqlite3.Connection, window: Window) -> SourceSums:
    """Return the sources of the window; reads each of its records."""
    found = [SourceSum(**dict(row)) for row in connection.execute(_SOURCES, window.values)]
    largest = sorted(found, key=lambda one: (-one.messages, one.source))[: window.most]
    return SourceSums(count=len(found), largest=largest)


def reporter_sums(connection: sqlite3.Connection, window: Window) -> Sequence[ReporterSum]:
    """Return the reporters of the window, those with most reports first."""
    return [ReporterSum(**dict(row)) for row in connection.execute(_REPORTERS, window.values)]


def tls_sums(connection: sqlite3.Connection, window: Window) -> TlsSums:
    """Return the sums of TLS reports about the domain, with the failures by kind."""
    sums = connection.execute(_TLS_SUMS, window.values).fetchone()
    return TlsSums(
        reports=sums["reports"],
        passed=sums["passed"] or 0,
        failed=sums["failed"] or 0,
        failures=[TlsFailureSum(**dict(row)) for row in connection.execute(_TLS_FAILURES, window.values)],
    )


def complaints(connection: sqlite3.Connection, window: Window) -> Sequence[Complaint]:
    """Return the newest feedback reports about the domain."""
    return [Complaint(**dict(row)) for row in connection.execute(_COMPLAINTS, window.values)]
