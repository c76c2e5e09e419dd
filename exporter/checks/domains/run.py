"""One run of all checks of a server's domains, over one resolver whose answers are remembered for the run."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.answers import Answer, Status, failed
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.dns.rewriting import rewrites
from exporter.checks.dns.system import system_resolvers
from exporter.checks.domains.autoconfig import check_autoconfig
from exporter.checks.domains.context import DomainContext, OwnSide
from exporter.checks.domains.dane import check_dane
from exporter.checks.domains.dkim import check_dkim
from exporter.checks.domains.dmarc import check_dmarc
from exporter.checks.domains.mta_sts import check_mta_sts
from exporter.checks.domains.mx import check_mx
from exporter.checks.domains.reports import check_dmarc_reports, check_tls_reports
from exporter.checks.domains.sending import check_server
from exporter.checks.domains.spf import check_spf
from exporter.checks.domains.tls_rpt import check_tls_rpt
from exporter.checks.hosts.access import HostAccess
from exporter.checks.hosts.hosts import Hosts
from exporter.model.posture import Check, CheckOutcome, CheckResult, DomainWants

REWRITTEN = "the resolver has addresses for names that do not exist, so none of its answers can be believed"

DomainCheck = Callable[[DomainContext], Awaitable[CheckOutcome | None]]
"""Returns ``None`` if there is nothing to check."""

DOMAIN_CHECKS: tuple[tuple[Check, DomainCheck], ...] = (
    (Check.MX, check_mx),
    (Check.SPF, check_spf),
    (Check.DKIM, check_dkim),
    (Check.DMARC, check_dmarc),
    (Check.DMARC_REPORTS, check_dmarc_reports),
    (Check.MTA_STS, check_mta_sts),
    (Check.TLS_RPT, check_tls_rpt),
    (Check.TLS_REPORTS, check_tls_reports),
    (Check.DANE, check_dane),
    (Check.AUTOCONFIG, check_autoconfig),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSettings:
    """
    What the operator says about a server; see `OwnSide`.

    Attributes:
        host: Empty: the mail host that the server wants for most of its domains.
        addresses: Empty: those of the host.
    """

    host: str = ""
    addresses: Sequence[str] = ()
    mail_hosts: frozenset[str] = frozenset()
    report_addresses: frozenset[str] = frozenset()


class DomainChecker:
    """
    Starts runs. One is shared by all servers, and with it the *budget*.

    *resolvers* are ``None`` for those of the system, which are read again for each run. *trusts* says whether the
    way to the resolvers is secure, so that what they say about DNSSEC can be believed.
    """

    def __init__(
        self,
        *,
        resolvers: Sequence[ResolverAddress] | None,
        budget: QueryBudget,
        query_timeout_seconds: float,
        access: HostAccess,
        trusts: Callable[[Sequence[ResolverAddress]], bool],
        rng: random.Random,
    ) -> None:
        self._resolvers = resolvers
        self._budget = budget
        self._timeout_seconds = query_timeout_seconds
        self._access = access
        self._trusts = trusts
        self._rng = rng

    async def begin(
        self, domains: Collection[str], known: Iterable[DomainWants], given: OwnSettings, patterns: Sequence[str]
    ) -> CheckRun:
        """Begin a run for *domains*; *known* are their wants as far as they are known."""
        servers = self._resolvers
        if servers is None:
            servers = await asyncio.to_thread(system_resolvers)
        resolver = DnsResolver(
            servers, self._budget, timeout_seconds=self._timeout_seconds, trusted=self._trusts(servers)
        )
        host = given.host or common_host(known)
        ours = OwnSide(
            host=host,
            addresses=await _addresses(resolver, given, host),
            also=given.mail_hosts,
            domains=frozenset(domains),
            report_patterns=patterns,
            report_addresses=given.report_addresses,
        )
        rewritten = await rewrites(resolver, domains, self._rng)
        return CheckRun(resolver, ours, Hosts(self._access), rewritten=rewritten)


class CheckRun:
    """
    A run of checks.

    Attributes:
        rewritten: The resolver makes addresses up; see `REWRITTEN`.
    """

    def __init__(self, resolver: DnsResolver, ours: OwnSide, hosts: Hosts, *, rewritten: bool) -> None:
        self.resolver = resolver
        self.hosts = hosts
        self.ours = ours
        self.rewritten = rewritten

    async def check_server(self) -> list[CheckOutcome]:
        """Check the server's own addresses."""
        return [self._believed(outcome) for outcome in await check_server(self.resolver, self.ours)]

    async def check_domain(self, wants: DomainWants, *, leave_out: Collection[Check] = ()) -> list[CheckOutcome]:
        """Run all checks of one domain but *leave_out*."""
        context = DomainContext(resolver=self.resolver, wants=wants, ours=self.ours, hosts=self.hosts)
        outcomes = []
        for check, run in DOMAIN_CHECKS:
            outcome = None if check in leave_out else await run(context)
            if outcome is not None:
                outcomes.append(self._believed(outcome))
        return outcomes

    def _believed(self, outcome: CheckOutcome) -> CheckOutcome:
        if not self.rewritten:
            return outcome
        return CheckOutcome(domain=outcome.domain, check=outcome.check, result=CheckResult.UNKNOWN, seen=(REWRITTEN,))


def common_host(known: Iterable[DomainWants]) -> str:
    """Return the mail host that most domains should have; empty if there is none."""
    hosts: Counter[str] = Counter()
    for wants in known:
        for record in wants.records or ():
            if record.type == "MX" and record.name == wants.name:
                hosts[record.content.rpartition(" ")[2].lower().removesuffix(".")] += 1
    return min(hosts, key=lambda host: (-hosts[host], host), default="")


async def _addresses(resolver: DnsResolver, given: OwnSettings, host: str) -> Answer[str]:
    if given.addresses:
        return Answer(status=Status.FOUND, values=tuple(given.addresses))
    return await resolver.addresses(host) if host else failed("the server's host name is not known")
