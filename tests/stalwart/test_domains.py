"""The domains of a server of either generation, and what it wants published for them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from exporter.app.servers.connection import connect
from exporter.clock import SystemClock
from exporter.errors import TargetForbidden
from exporter.model.posture import DomainWants, ServerDomain
from exporter.settings import ServerSettings
from exporter.simulator import StandIn, World
from exporter.simulator.world.accounts.directory import Account
from tests.support.standin import WATCHER, community

NAMES = [f"d{number:03}.test" for number in range(520)]


def add_domains(world: World) -> None:
    """Many domains, one of them with a name in Unicode and one that is no name."""
    for number, name in enumerate([*NAMES, "bücher.test", "not a name"]):
        world.directory.accounts[name] = Account(10_000 + number, "domain", name)
    world.inventory.add_signature("s1", kind="Dkim1RsaSha256", domain="d007.test")


def read(server: StandIn, *names: str) -> tuple[list[ServerDomain], list[DomainWants], Sequence[str]]:
    """The domains, the wants of *names*, and the analysed addresses."""

    async def run() -> tuple[list[ServerDomain], list[DomainWants], Sequence[str]]:
        jmap = server.call(lambda world: world.profile.jmap)
        login = {"token": server.api_key()} if jmap else {"username": WATCHER[0], "password": WATCHER[1]}
        settings = ServerSettings.model_validate({"url": server.url, "max_requests_per_minute": 1000, **login})
        connection = connect(settings, clock=SystemClock(), observer=None)
        try:
            await connection.detector.detect()
            client = connection.client
            domains = list(await client.fetch_domains())
            asked = [domain for domain in domains if domain.name in names]
            wants = list(await client.fetch_wanted_records(asked)) if asked else []
            return domains, wants, await client.fetch_report_patterns()
        finally:
            await connection.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("version", ["0.12.5", "0.15.5", "0.16.18"])
def test_all_domains_are_found_and_what_is_wanted_for_one(version: str) -> None:
    """Page after page; names in A-labels, what is no name left out; the key is that of the domain."""
    with StandIn(community(version)) as server:
        server.call(add_domains)
        domains, [wants], _ = read(server, "d007.test")
        key = server.call(lambda world: world.inventory.public_keys("d007.test", local=False)[0].key)

    assert sorted(domain.name for domain in domains) == sorted([*NAMES, "example.test", "xn--bcher-kva.test"])
    assert wants.name == "d007.test"
    texts = {record.name: record.content for record in wants.records or () if record.type == "TXT"}
    assert texts["s1._domainkey.d007.test"].endswith(f"p={key}")
    assert texts["d007.test"].startswith("v=spf1 mx")
    assert {record.content for record in wants.records or () if record.type == "MX"} == {"10 mx.example.test."}


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_the_analysed_addresses_are_read_only_where_they_may_be(version: str) -> None:
    """The key of the least privilege may not; that is no error, and it costs no refused request."""
    with StandIn(community(version)) as server:
        _, _, patterns = read(server)
        if version.startswith("0.16"):
            server.call(lambda world: allow(world))
            _, _, allowed = read(server)
            assert allowed == ["dmarc@*", "postmaster@*", "tls@*"]

    assert patterns == []


def allow(world: World) -> None:
    """Grants the key what it lacks."""
    account = world.directory.accounts["watcher"]
    names = frozenset({*(account.permissions or ()), "sysReportSettingsGet"})
    world.directory.accounts["watcher"] = replace(account, permissions=names)


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_a_narrow_key_is_told_so(version: str) -> None:
    """Without the permission to list domains."""
    with StandIn(community(version)) as server:
        server.call(lambda world: world.directory.grant("watcher", frozenset({"authenticate"})))

        with pytest.raises(TargetForbidden):
            read(server)
