"""Checks of one domain over the test DNS server, without a daemon."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.domains.run import CheckRun, DomainChecker, OwnSettings
from exporter.checks.hosts.access import HostAccess
from exporter.clock import SystemClock
from exporter.model.posture import Check, CheckOutcome, DomainWants, Record
from tests.support.dns.server import DnsServer

HOST = "mx.example.test"
DOMAIN = "example.test"
RSA_KEY = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA" + "vtFoDbYF3RrHdIPKni1UNKYA1bkHTGoh8SUaLRg2V9inNWEndttGAZ0m5L" * 6
)
RSA_KEY = RSA_KEY[: len(RSA_KEY) // 4 * 4]
ED_KEY = "UCE18V65U53N6CBlIdFKDMmJvdpjBdd39A6nmpKE1cc="

WANTED = (
    Record(name=DOMAIN, type="MX", content=f"10 {HOST}."),
    Record(name=f"202611e._domainkey.{DOMAIN}", type="TXT", content=f"v=DKIM1; k=ed25519; h=sha256; p={ED_KEY}"),
    Record(name=f"202611r._domainkey.{DOMAIN}", type="TXT", content=f"v=DKIM1; k=rsa; h=sha256; p={RSA_KEY}"),
    Record(name=HOST, type="TXT", content="v=spf1 a ra=postmaster -all"),
    Record(name=DOMAIN, type="TXT", content="v=spf1 mx ra=postmaster -all"),
    Record(name=f"_imaps._tcp.{DOMAIN}", type="SRV", content=f"0 1 993 {HOST}."),
    Record(name=f"_submissions._tcp.{DOMAIN}", type="SRV", content=f"0 1 465 {HOST}."),
    Record(name=f"autoconfig.{DOMAIN}", type="CNAME", content=f"{HOST}."),
    Record(name=f"_dmarc.{DOMAIN}", type="TXT", content=f"v=DMARC1; p=reject; rua=mailto:dmarc@{DOMAIN}"),
    Record(name=f"_smtp._tls.{DOMAIN}", type="TXT", content=f"v=TLSRPTv1; rua=mailto:tls@{DOMAIN}"),
)
"""What a server wants for a domain without MTA-STS and DANE."""

WANTS = DomainWants(name=DOMAIN, records=WANTED)

RIGHT = (
    *(record.zone_line() for record in WANTED),
    f"{HOST}. IN A 192.0.2.25",
    f"{HOST}. IN AAAA 2001:db8::25",
    f"25.2.0.192.in-addr.arpa. IN PTR {HOST}.",
    f"5.2.0.0.{'0.' * 20}8.b.d.0.1.0.0.2.ip6.arpa. IN PTR {HOST}.",
)
"""The lines of a zone file that are right for it."""

PATTERNS = ("dmarc@*", "tls@*")


def checker_for(
    server: DnsServer | None,
    *,
    timeout_seconds: float = 5.0,
    trusted: bool = True,
    access: HostAccess | None = None,
    per_second: float = 95,
) -> DomainChecker:
    """A checker that asks *server*; with ``None``, a port on which nothing listens."""
    port = 1 if server is None else server.port
    return DomainChecker(
        resolvers=[ResolverAddress("127.0.0.1", port)],
        budget=QueryBudget(clock=SystemClock(), per_second=per_second),
        query_timeout_seconds=timeout_seconds,
        access=access or HostAccess(None, timeout_seconds),
        trusts=lambda servers: trusted,
        rng=random.Random(7),  # noqa: S311 - names to ask for, not a secret
    )


def check(
    server: DnsServer | None,
    wants: DomainWants = WANTS,
    given: OwnSettings | None = None,
    *,
    patterns: Sequence[str] = PATTERNS,
    checker: DomainChecker | None = None,
) -> Mapping[Check, CheckOutcome]:
    """The outcome of every check of a domain and of the server."""

    async def run() -> list[CheckOutcome]:
        made = checker or checker_for(server)
        begun: CheckRun = await made.begin([wants.name], [wants], given or OwnSettings(), patterns)
        return [*await begun.check_server(), *await begun.check_domain(wants)]

    return {outcome.check: outcome for outcome in asyncio.run(run())}
