"""`domains` and `doctor` beside a running exporter: what they print repairs the domain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.e2e.posture.test_changes import DOMAIN, config, result, wait_result
from tests.support.commands import environment
from tests.support.dns.published import HOST_LINES, wanted_lines
from tests.support.dns.server import DnsServer, dns_server
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community

HOSTILE = "v=spf1 \\027[31m\\226\\128\\174 -all"
"""Colours, and a mark that changes the direction of the text."""


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A server with a long DKIM key."""
    with StandIn(community()) as standin:
        standin.call(lambda world: world.inventory.add_signature("s1", kind="Dkim1RsaSha256"))
        yield standin


@pytest.fixture
def resolver(server: StandIn) -> Iterator[DnsServer]:
    """DNS without the key, and with an SPF record that is none."""
    lines: list[str] = []
    server.call(lambda world: lines.extend(wanted_lines(world, DOMAIN)))
    with dns_server(*lines, *HOST_LINES) as running:
        running.zones.remove(f"s1._domainkey.{DOMAIN}.", "TXT")
        running.zones.replace(f'{DOMAIN}. IN TXT "{HOSTILE}"')
        yield running


def command(exporter: Exporter, *arguments: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a command with the exporter's configuration."""
    own = {"STALWART_EXPORTER_STORE_PATH": str(exporter.directory / "history.sqlite3"), **environ}
    inherited = environment(exporter.directory, {})
    kept = {name: value for name, value in inherited.items() if not name.startswith("STALWART_EXPORTER_")}
    line = [sys.executable, "-m", "exporter", *arguments, "--config", str(exporter.config_path)]
    return subprocess.run(line, env={**kept, **own}, capture_output=True, timeout=120, check=False)


def test_what_is_printed_repairs_the_domain(server: StandIn, resolver: DnsServer, tmp_path: Path) -> None:
    """Pasted into the zone, every line is accepted, and the next run finds nothing wrong."""
    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        scene = Scene(server, exporter)
        wait_result(scene, "dkim", "bad")
        wait_result(scene, "spf", "bad")
        shown = command(exporter, "domains", "show", DOMAIN)
        listed = json.loads(command(exporter, "domains", "list", "--bad", "--json").stdout)
        printed = command(exporter, "domains", "show", DOMAIN, "--records").stdout.decode("ascii").splitlines()
        assert {line.split(" ")[0] for line in printed} == {f"s1._domainkey.{DOMAIN}.", f"{DOMAIN}."}
        resolver.zones.replace(*printed)
        wait_result(scene, "dkim", "good")
        wait_result(scene, "spf", "good")

        assert shown.returncode == 0
        assert set(printed) <= set(shown.stdout.decode().splitlines())
        assert [entry["domain"] for entry in listed] == [DOMAIN]
        assert command(exporter, "domains", "list", "--bad").stdout == b"No domain has a bad result.\n"


@pytest.mark.fault("network", "DNS records contain terminal sequences and direction marks")
def test_hostile_text_from_dns_reaches_no_terminal(server: StandIn, resolver: DnsServer, tmp_path: Path) -> None:
    """Neither tables nor records have its control characters, and labels have none of it."""
    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        scene = Scene(server, exporter)
        wait_result(scene, "spf", "bad")
        printed = [
            command(exporter, "domains", *arguments).stdout
            for arguments in (["show", DOMAIN], ["show", DOMAIN, "--json"], ["list"])
        ]

        assert all(b"\x1b[31m" not in text and b"\xe2\x80\xae" not in text for text in printed)
        assert b"\\027[31m" in printed[0]
        assert "[31m" not in scene.page()


def test_doctor_shows_one_table(server: StandIn, resolver: DnsServer, tmp_path: Path) -> None:
    """The checks are made at once, whether or not the daemon has made them."""
    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        asked = command(exporter, "doctor", "--listen", "0", "--json", STALWART_EXPORTER_CHECKS__QUERY_TIMEOUT="5s")
        table = command(exporter, "doctor", "--listen", "0", COLUMNS="200").stdout.decode()

        [finding] = json.loads(asked.stdout)
        checks = {one["domain"]: one["checks"] for one in finding["domains"]["domains"]}
        assert checks[DOMAIN]["dkim"] == checks[DOMAIN]["spf"] == "bad"
        assert checks[DOMAIN]["mx"] == checks["mx.example.test"]["fcrdns"] == "good"
        assert finding["capabilities"]["domain_records"] == "available"
        [line] = [line for line in table.splitlines() if line.startswith(f"  {DOMAIN} ")]
        assert "dkim (s1: the key is not published)" in line
        assert result(Scene(server, exporter), "mx") in ("", "good")


def test_a_domain_that_was_not_checked_has_a_status_of_its_own(
    server: StandIn, resolver: DnsServer, tmp_path: Path
) -> None:
    """Scripts can tell it from a domain in order."""
    with Exporter(tmp_path, config=config(server, resolver)) as exporter:
        wait_result(Scene(server, exporter), "dkim", "bad")

        assert command(exporter, "domains", "show", "elsewhere.test").returncode == 3
        assert command(exporter, "domains", "show", "not a domain").returncode == 2
