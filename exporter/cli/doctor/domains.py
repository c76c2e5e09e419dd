"""The checks of `doctor`, of domains and of listeners: made now, and not kept."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from exporter.app.servers.checking import checking_of, listener_checker, own_settings
from exporter.app.servers.connection import ServerConnection
from exporter.clock import SystemClock
from exporter.errors import TargetError
from exporter.ingest.jobs.posture.wants import WantsReader
from exporter.model.inventory import Certificate
from exporter.model.posture import CheckOutcome, CheckResult, split_subject
from exporter.settings import CheckSettings, ServerSettings
from exporter.stalwart.client import StalwartClient

MOST_DOMAINS = 25
MOST_SECONDS = 60.0


@dataclass(slots=True)
class DomainFinding:
    """
    The checks of one domain, or of the server by its host name.

    Attributes:
        checks: The result of each check; that of a listener is named with port and family.
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
    connection: ServerConnection, settings: ServerSettings, checks: CheckSettings, *, with_domains: bool
) -> DomainFindings:
    """
    Check the first domains of a server, unless the key may not list them, and its listeners, for `MOST_SECONDS`.

    Raises `SettingsError` for unusable files.
    """
    found = DomainFindings()
    try:
        async with asyncio.timeout(MOST_SECONDS):
            await _check(found, connection, settings, checks, with_domains=with_domains)
    except TargetError as error:
        found.trouble = str(error)
    except TimeoutError:
        found.trouble = "the checks took too long; the daemon makes the rest"
    return found


async def _check(
    found: DomainFindings,
    connection: ServerConnection,
    settings: ServerSettings,
    checks: CheckSettings,
    *,
    with_domains: bool,
) -> None:
    clock = SystemClock()
    checking = checking_of(checks, clock=clock, rng=random.Random())  # noqa: S311 - names to ask for, not a secret
    own = own_settings(settings)
    listeners = listener_checker(checks, settings, clock=clock)
    if checking is None or not (with_domains or (listeners is not None and listeners.settings.names(own.host))):
        return
    reader = WantsReader(
        clock=clock,
        max_requests_per_minute=settings.max_requests_per_minute,
        configured=settings.checks.domains,
    )
    domains = await reader.list_domains(connection.client) if with_domains else []
    found.left_out = max(0, len(domains) - MOST_DOMAINS)
    shown = domains[:MOST_DOMAINS]
    async for _ in reader.read(connection.client, shown):
        pass
    wants = [reader.wants(domain) for domain in shown]
    names = [domain.name for domain in domains]
    patterns = await connection.client.fetch_report_patterns()
    run = await checking.checker.begin(names, wants, own, patterns)
    outcomes = list(await run.check_server())
    if listeners is not None:
        stored = await _stored(connection.client)
        outcomes += [one for finding in await listeners.check(run, (), stored) for one in finding.outcomes]
    for one in wants:
        outcomes += await run.check_domain(one)
    found.domains += _findings(outcomes)


async def _stored(client: StalwartClient) -> Sequence[Certificate]:
    """Return the certificates that the server has, as far as it says."""
    try:
        return (await client.fetch_inventory()).certificates or ()
    except TargetError:
        return ()


def _findings(outcomes: Iterable[CheckOutcome]) -> list[DomainFinding]:
    findings: dict[str, DomainFinding] = {}
    for outcome in outcomes:
        owner, part = split_subject(outcome.domain)
        finding = findings.setdefault(owner, DomainFinding(owner))
        name = f"{outcome.check.value} {part}".strip()
        finding.checks[name] = outcome.result.value
        if outcome.result is not CheckResult.GOOD:
            finding.seen[name] = list(outcome.seen)
    return list(findings.values())
