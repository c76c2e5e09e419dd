"""The domain checks of `doctor`: made now, and not kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.app.servers.checking import checking_of, own_settings
from exporter.app.servers.connection import ServerConnection
from exporter.clock import SystemClock
from exporter.errors import TargetError
from exporter.ingest.jobs.posture.wants import WantsReader
from exporter.model.posture import CheckOutcome, CheckResult
from exporter.settings import CheckSettings, ServerSettings

MOST_DOMAINS = 25
MOST_SECONDS = 60.0


@dataclass(slots=True)
class DomainFinding:
    """
    The checks of one domain, or of the server by its host name.

    Attributes:
        checks: The result of each check.
        seen: What was seen, of the checks that are not good.
    """

    domain: str
    checks: dict[str, str] = field(default_factory=dict)
    seen: dict[str, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class DomainFindings:
    """
    The checks of a server's domains.

    Attributes:
        left_out: The number of domains that were not checked, since there are many.
        trouble: Why they were not checked, or not all; otherwise empty.
    """

    domains: list[DomainFinding] = field(default_factory=list)
    left_out: int = 0
    trouble: str = ""


async def check_domains(
    connection: ServerConnection, settings: ServerSettings, checks: CheckSettings
) -> DomainFindings:
    """Check the first domains of a server, for at most `MOST_SECONDS`. Raises `SettingsError` for unusable files."""
    found = DomainFindings()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            await _check(found, connection, settings, checks)
    except TargetError as error:
        found.trouble = str(error)
    except TimeoutError:
        found.trouble = "the checks took too long; the daemon makes the rest"
    return found


async def _check(
    found: DomainFindings, connection: ServerConnection, settings: ServerSettings, checks: CheckSettings
) -> None:
    clock = SystemClock()
    checking = checking_of(checks, clock=clock, rng=random.Random())  # noqa: S311 - names to ask for, not a secret
    if checking is None:
        return
    reader = WantsReader(
        clock=clock,
        max_requests_per_minute=settings.max_requests_per_minute,
        configured=settings.checks.domains,
    )
    domains = await reader.list_domains(connection.client)
    found.left_out = max(0, len(domains) - MOST_DOMAINS)
    shown = domains[:MOST_DOMAINS]
    async for _ in reader.read(connection.client, shown):
        pass
    wants = [reader.wants(domain) for domain in shown]
    names = [domain.name for domain in domains]
    patterns = await connection.client.fetch_report_patterns()
    run = await checking.checker.begin(names, wants, own_settings(settings), patterns)
    for outcomes in (await run.check_server(), *[await run.check_domain(one) for one in wants]):
        if outcomes:
            found.domains.append(_finding(outcomes))


def _finding(outcomes: Sequence[CheckOutcome]) -> DomainFinding:
    finding = DomainFinding(outcomes[0].domain)
    for outcome in outcomes:
        finding.checks[outcome.check.value] = outcome.result.value
        if outcome.result is not CheckResult.GOOD:
            finding.seen[outcome.check.value] = list(outcome.seen)
    return finding
