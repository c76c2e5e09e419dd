"""DMARC results of domains per day, from the sums that are kept of each day, and the policies that were published."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.store.reports.sums import DAY_SECONDS

WEEK_SECONDS = 7 * DAY_SECONDS

_LARGEST = """
    SELECT domain, sum(aligned) AS aligned, sum(failed) AS failed, sum(reports) AS reports FROM dmarc_day
    WHERE server IN (SELECT value FROM json_each(:servers)) AND day >= :first AND day <= :last
        AND (:domain IS NULL OR domain = :domain)
    GROUP BY domain ORDER BY sum(aligned) + sum(failed) DESC, domain LIMIT :most
"""
_DAYS = """
    SELECT domain, day, sum(aligned) AS aligned, sum(failed) AS failed, sum(reports) AS reports FROM dmarc_day
    WHERE server IN (SELECT value FROM json_each(:servers)) AND day >= :first AND day <= :last
        AND domain IN (SELECT value FROM json_each(:domains))
    GROUP BY domain, day
"""
_POLICIES = """
    SELECT moment.value AS at, (
        SELECT report.id FROM report INDEXED BY report_domain
        WHERE report.domain = :domain AND report.ends_at <= moment.value AND report.ends_at > moment.value - :width
            AND report.kind = 'dmarc' AND (:server IS NULL OR report.server = :server)
        ORDER BY report.ends_at DESC LIMIT 1
    ) AS id FROM json_each(:moments) AS moment
"""
_POLICY = f"""
    SELECT newest.at, p.policy, p.percent, p.testing FROM ({_POLICIES}) AS newest
    JOIN dmarc_policy AS p ON p.report = newest.id ORDER BY newest.at
"""  # noqa: S608 - nothing but our own words


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """The messages of one day, and the reports that ended on it; *day* is the Unix day."""

    day: int
    aligned: int
    failed: int
    reports: int

    @property
    def messages(self) -> int:
        """All messages of the day."""
        return self.aligned + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainVolume:
    """The sums of one domain over some days."""

    domain: str
    aligned: int
    failed: int
    reports: int

    @property
    def messages(self) -> int:
        """All messages."""
        return self.aligned + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyAt:
    """
    The policy that a domain had published, by the newest report of the week before *at* (Unix seconds).

    Attributes:
        partial: It was tested, or applied to a part of the mail only.
    """

    at: int
    policy: str
    partial: bool


def largest_domains(
    connection: sqlite3.Connection,
    servers: Sequence[str],
    *,
    domain: str | None = None,
    first_day: int,
    last_day: int,
    most: int,
) -> Sequence[DomainVolume]:
    """Return the *most* domains with most messages from the Unix day *first_day* to *last_day*, or only *domain*."""
    values = {"servers": _listed(servers), "first": first_day, "last": last_day, "most": most, "domain": domain}
    return [DomainVolume(**dict(row)) for row in connection.execute(_LARGEST, values)]


def domain_days(
    connection: sqlite3.Connection, servers: Sequence[str], domains: Sequence[str], *, first_day: int, last_day: int
) -> Mapping[str, Sequence[DayResult]]:
    """Return the days of each domain that have reports, oldest first; a domain without any is absent."""
    values = {"servers": _listed(servers), "domains": _listed(domains), "first": first_day, "last": last_day}
    found: dict[str, list[DayResult]] = {}
    for domain, *numbers in connection.execute(_DAYS, values):
        day, aligned, failed, reports = numbers
        result = DayResult(day=day, aligned=aligned, failed=failed, reports=reports)
        found.setdefault(domain, []).append(result)
    return found


def policies_over_time(
    connection: sqlite3.Connection, domain: str, *, server: str | None, now: int, weeks: int
) -> Sequence[PolicyAt]:
    """Return the policy at the end of each of the last *weeks*, oldest first; weeks without a report are absent."""
    moments = [now - week * WEEK_SECONDS for week in reversed(range(weeks))]
    values = {"domain": domain, "server": server, "width": WEEK_SECONDS, "moments": _listed(moments)}
    return [
        PolicyAt(at=at, policy=policy, partial=bool(testing) or percent not in (None, 100))
        for at, policy, percent, testing in connection.execute(_POLICY, values)
    ]


def _listed(values: Sequence[object]) -> str:
    return json.dumps(list(values))
