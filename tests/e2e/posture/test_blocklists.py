"""Blocklists, as the running exporter shows them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.checks.blocklists.test_lists import FOUR_NAME, LIST, TESTS
from tests.e2e.posture.test_commands import command
from tests.support.dns.server import DnsServer, dns_server
from tests.support.exporter import Exporter
from tests.support.standin import Scene, community, server_table

HOST = "mx.example.test"
COUNT = "stalwart_blocklist_addresses"
CHANGE = "stalwart_blocklist_change_timestamp_seconds"
RUN = "stalwart_exporter_collector_last_success_timestamp_seconds"


def config(server: StandIn, resolver: DnsServer) -> str:
    """Checks once per second."""
    checks = f'[checks]\nresolver = ["{resolver.address}"]\ninterval = "1s"\nblocklists = ["{LIST}", "dead.test"]\n'
    own = f'[servers.checks]\nhost = "{HOST}"\naddresses = ["192.0.2.25", "2001:db8::25"]\n'
    return f"{checks}{server_table(server.url, native=False, every=60)}{own}"


def entries(scene: Scene) -> dict[tuple[str, ...], float]:
    """What is shown and not zero."""
    return scene.shown(COUNT, "list", "family", "result")


@pytest.mark.fault("neighbours", "a blocklist has an address, and another list is dead")
def test_lists_are_asked_once_even_over_a_restart(tmp_path: Path) -> None:
    """Checks that run every second ask no list again within the hour; what is known stays on the page."""
    expected = {
        (LIST, "ipv4", "listed"): 1.0,
        (LIST, "ipv6", "clean"): 1.0,
        ("dead.test", "ipv4", "unknown"): 1.0,
        ("dead.test", "ipv6", "unknown"): 1.0,
    }
    with StandIn(community()) as server, dns_server(*TESTS, f"{FOUR_NAME} IN A 127.0.0.2") as resolver:
        before = int(time.time())
        for _ in range(2):
            with Exporter(tmp_path, config=config(server, resolver)) as exporter:
                scene = Scene(server, exporter)
                scene.wait_shown(COUNT, "list", "family", "result", wanted=expected)
                changed = scene.value(CHANGE, list=LIST, family="ipv4")
                assert changed is not None
                assert before <= changed <= time.time()
                ran = scene.value(RUN, collector="checks") or 0.0
                scene.wait_for(RUN, lambda at, since=ran: at > since, collector="checks")
                page = scene.page()
        shown = json.loads(command(exporter, "domains", "list", "--json").stdout)
        log = exporter.log()
        names = [name for name, kind, _ in resolver.asked if kind == "A"]

    [blocklists] = [entry["blocklists"] for entry in shown if entry["domain"] == HOST]
    assert blocklists[f"192.0.2.25@{LIST}"] == "bad"
    assert blocklists[f"2001:db8::25@{LIST}"] == "good"
    assert names.count(FOUR_NAME) == 1
    assert names.count(f"2.0.0.127.{LIST}.") == 1
    assert names.count("2.0.0.127.dead.test.") == 1
    assert "192.0.2.25" not in page
    assert f'"list":"{LIST}"' in log.replace(" ", "") or f"list={LIST}" in log
    assert "192.0.2.25" not in log
