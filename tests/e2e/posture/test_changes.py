"""Domain checks of the running exporter: results, and when they changed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import Profile, StandIn, World
from tests.support.dns.published import HOST_LINES, wanted_lines
from tests.support.dns.server import DnsServer, dns_server, failing
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community, server_table

DOMAIN = "example.test"
FAMILY = "stalwart_domain_check"
CHANGE = "stalwart_domain_check_change_timestamp_seconds"
SELECTOR = f"s1._domainkey.{DOMAIN}."


@pytest.fixture(params=["0.15.5", "0.16.18"])
def profile(request: pytest.FixtureRequest) -> Profile:
    """A server of each generation."""
    return community(request.param)


@pytest.fixture
def server(profile: Profile) -> Iterator[StandIn]:
    """A server with a DKIM key."""
    with StandIn(profile) as standin:
        standin.call(lambda world: world.inventory.add_signature("s1", kind="Dkim1RsaSha256"))
        yield standin


@pytest.fixture
def resolver(server: StandIn) -> Iterator[DnsServer]:
    """A resolver with everything that the server wants."""
    lines: list[str] = []
    server.call(lambda world: lines.extend(wanted_lines(world, DOMAIN)))
    with dns_server(*lines, *HOST_LINES) as running:
        yield running


def config(server: StandIn, resolver: DnsServer) -> str:
    """Checks once per second."""
    checks = f'[checks]\nresolver = ["{resolver.address}"]\ninterval = "1s"\nhost_timeout = "1s"\n'
    return checks + server_table(server.url, native=False, every=60)


def result(scene: Scene, check: str) -> str:
    """The result that is shown for a check of the domain."""
    shown = scene.shown(FAMILY, "domain", "check", "result")
    return next((key[2] for key in shown if key[:2] == (DOMAIN, check)), "")


def wait_result(scene: Scene, check: str, wanted: str) -> None:
    """Waits for a check to have a result."""
    scene.wait(lambda: result(scene, check) == wanted, lambda: f"{check} is {result(scene, check)}, not {wanted}")


@pytest.mark.fault("network", "DNS loses a DKIM key, and then the resolver fails")
def test_a_key_that_vanishes_from_dns_is_bad_since_then(server: StandIn, resolver: DnsServer, tmp_path: Path) -> None:
    """The time of the change is when DNS lost the key; a dead resolver and a restart do not move it."""
    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        scene = Scene(server, exporter)
        wait_result(scene, "dkim", "good")
        before = int(time.time())
        resolver.zones.remove(SELECTOR, "TXT")
        wait_result(scene, "dkim", "bad")
        changed = scene.wait_for(CHANGE, lambda value: value >= before, domain=DOMAIN, check="dkim")
        resolver.mend = failing("SERVFAIL")
        wait_result(scene, "dkim", "unknown")
        wait_result(scene, "mx", "unknown")
        assert scene.value(CHANGE, domain=DOMAIN, check="dkim") == changed
    resolver.mend = None

    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        scene = Scene(server, exporter)
        wait_result(scene, "dkim", "bad")

        assert scene.value(CHANGE, domain=DOMAIN, check="dkim") == changed
        assert before <= changed <= time.time()


def test_a_new_key_of_the_server_is_missed_in_dns(server: StandIn, resolver: DnsServer, tmp_path: Path) -> None:
    """A key that the server has begun to sign with is looked for at the next run."""

    def add(world: World) -> None:
        world.inventory.add_signature("s2", kind="Dkim1Ed25519Sha256")

    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        scene = Scene(server, exporter)
        wait_result(scene, "dkim", "good")
        server.call(add)
        wait_result(scene, "dkim", "bad")

        assert result(scene, "mx") == result(scene, "spf") == "good"
