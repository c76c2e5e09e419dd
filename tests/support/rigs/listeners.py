"""Checks of listeners over the test DNS server, without a daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

from exporter.checks.domains.run import OwnSettings
from exporter.checks.hosts.access import HostAccess
from exporter.checks.tls.judge import ListenerFinding
from exporter.checks.tls.run import ListenerChecker, ListenerSettings
from exporter.clock import SystemClock
from exporter.model.inventory import Certificate
from exporter.model.outside import Family, Port
from exporter.model.posture import Check, CheckOutcome, CheckResult
from tests.support.dns.server import DnsServer
from tests.support.rigs.domain_checks import HOST, checker_for

FOUR, SIX = f"{HOST}. IN A 127.0.0.1", f"{HOST}. IN AAAA ::1"
GOOD, BAD, UNKNOWN = CheckResult.GOOD, CheckResult.BAD, CheckResult.UNKNOWN

Found = dict[Family, dict[Check, CheckOutcome]]


class Rig:
    """
    One server's listener checks, run after run.

    Attributes:
        findings: Of the latest run.
    """

    def __init__(self, server: DnsServer | None, ca_file: Path | None, ports: Sequence[Port], *, expected: bool = True):
        self.findings: list[ListenerFinding] = []
        self.timeout_seconds = 20.0
        self.dns_timeout_seconds = 5.0
        self._server = server
        self._ca_file = ca_file
        settings = ListenerSettings(hosts=[HOST], ports=ports, expected=expected)
        self._checker = ListenerChecker(settings, clock=SystemClock())

    def check(self, *, known: Collection[str] = (), stored: Sequence[Certificate] = ()) -> Found:
        """The outcomes of the first port by family and check; a family without a listener is absent."""
        access = HostAccess(None, self.timeout_seconds, self._ca_file)
        checker = checker_for(self._server, access=access, timeout_seconds=self.dns_timeout_seconds)

        async def run() -> list[ListenerFinding]:
            begun = await checker.begin([], [], OwnSettings(host=HOST), ())
            return await self._checker.check(begun, known, stored)

        self.findings = asyncio.run(run())
        found: Found = {}
        for one in self.findings:
            found.setdefault(one.listener.family, {outcome.check: outcome for outcome in one.outcomes})
        return found


def results(found: dict[Check, CheckOutcome]) -> dict[str, CheckResult]:
    """Results by the short names of checks."""
    return {check.removeprefix("certificate_"): outcome.result for check, outcome in found.items()}


def seen(found: dict[Check, CheckOutcome], check: Check) -> str:
    """What was seen by one check."""
    return "; ".join(found[check].seen)
