"""Conditions of the checks of a server's domains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exporter.model.posture import CheckResult
from exporter.web.interfaces import ServerStatus
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.thresholds import Threshold, Thresholds

REPORT_CHECKS = ("dmarc_reports", "tls_rpt", "tls_reports", "reporters")
"""Checks of the way of reports; mail does not depend on them."""

CONVENIENCE_CHECKS = ("autoconfig",)
"""Checks that no alert is about."""


def domain_conditions(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    """Yield a condition for each domain with bad checks, and one if most checks have no result."""
    mail: dict[str, list[str]] = {}
    reports: dict[str, list[str]] = {}
    for (domain, check), result in sorted(server.checks.items()):
        if result == CheckResult.BAD and check not in CONVENIENCE_CHECKS:
            (reports if check in REPORT_CHECKS else mail).setdefault(domain, []).append(check)
    yield from _misconfigured(mail, limits.get("StalwartDomainMisconfigured"))
    yield from _not_received(reports, limits.get("StalwartReportsNotReceived"))
    yield from _unknown(server, limits.get("StalwartDomainChecksUnknown"))


def _misconfigured(bad: Mapping[str, list[str]], limit: Threshold | None) -> Iterator[Condition]:
    for domain, checks in bad.items() if limit is not None else ():
        yield Condition(
            alert="StalwartDomainMisconfigured",
            about=domain,
            what=f"{domain} is not published as the server needs it: {', '.join(checks)}",
            do="See what to publish on the domain's page, or run `stalwart-exporter domains show`.",
        )


def _not_received(bad: Mapping[str, list[str]], limit: Threshold | None) -> Iterator[Condition]:
    for domain, checks in bad.items() if limit is not None else ():
        yield Condition(
            alert="StalwartReportsNotReceived",
            about=domain,
            what=f"reports about {domain} do not reach the server: {', '.join(checks)}",
            do="See what to publish on the domain's page, or run `stalwart-exporter domains show`.",
        )


def _unknown(server: ServerStatus, limit: Threshold | None) -> Iterator[Condition]:
    unknown = sum(1 for result in server.checks.values() if result == CheckResult.UNKNOWN)
    if limit is not None and server.checks and unknown / len(server.checks) > limit["ratio"]:
        yield Condition(
            alert="StalwartDomainChecksUnknown",
            what=f"{unknown / len(server.checks):.0%} of the checks of domains have no result",
            do="Check the exporter's resolver.",
        )
