"""Names of sources: believed only if they lead back, and unknown if the resolver cannot be believed."""

from __future__ import annotations

import asyncio
import random

import pytest

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.sources.as_database import AutonomousSystem
from exporter.checks.sources.naming import SourceNamer
from exporter.clock import SystemClock
from exporter.model.reports import NamedSource
from tests.support.dns.server import DnsServer, dns_server, failing, rewriting, silent

SIX = ".".join("1" + "0" * 23 + "8bd01002")
ZONES = (
    "1.2.0.192.in-addr.arpa. IN PTR MAIL.Example.test.",
    "mail.example.test. IN A 192.0.2.1",
    "2.2.0.192.in-addr.arpa. IN PTR mail.google.com.",
    "mail.google.com. IN A 198.51.100.1",
    "4.2.0.192.in-addr.arpa. IN PTR gone.example.test.",
    "4.2.0.192.in-addr.arpa. IN PTR four.example.test.",
    "four.example.test. IN A 192.0.2.4",
    "5.2.0.192.in-addr.arpa. IN PTR 192.0.2.5.",
    f"{SIX}.ip6.arpa. IN PTR six.example.test.",
    "six.example.test. IN AAAA 2001:db8::1",
)
GOOD = {"192.0.2.1": "mail.example.test", "192.0.2.4": "four.example.test", "2001:db8::1": "six.example.test"}
ADDRESSES = (*GOOD, "192.0.2.2", "192.0.2.3", "192.0.2.5")


def named(server: DnsServer, *, timeout_seconds: float = 5.0) -> dict[str, NamedSource]:
    """What one run finds out about all addresses."""
    namer = SourceNamer(
        resolvers=[ResolverAddress("127.0.0.1", server.port)],
        budget=QueryBudget(clock=SystemClock(), per_second=90),
        query_timeout_seconds=timeout_seconds,
        rng=random.Random(1),  # noqa: S311 - nothing secret
    )

    async def run() -> dict[str, NamedSource]:
        begun = await namer.begin()
        return {address: await begun.name(address, AutonomousSystem(64500, "X")) for address in ADDRESSES}

    return asyncio.run(run())


def test_a_name_is_good_if_it_leads_back_to_the_address():
    """The first of several that does; a name of somebody else is bad, and so is none."""
    with dns_server(*ZONES) as server:
        found = named(server)

    assert {address: one.name for address, one in found.items() if one.result.value == "good"} == GOOD
    assert {one.result.value for address, one in found.items() if address not in GOOD} == {"bad"}
    assert all(one.name == "" for address, one in found.items() if address not in GOOD)
    assert {one.as_number for one in found.values()} == {64500}


@pytest.mark.parametrize("trouble", ["SERVFAIL", "REFUSED", "silent", "rewriting"])
def test_a_resolver_that_fails_or_lies_makes_every_name_unknown(trouble: str):
    """Never bad: it may be the resolver."""
    with dns_server(*ZONES) as server:
        mends = {"silent": silent, "rewriting": rewriting("192.0.2.1")}
        server.mend = mends.get(trouble) or failing(trouble)
        found = named(server, timeout_seconds=0.2)

    assert {(one.result.value, one.name) for one in found.values()} == {("unknown", "")}
    assert {one.as_name for one in found.values()} == {"X"}
