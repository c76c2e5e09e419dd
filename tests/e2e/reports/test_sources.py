"""Sources of DMARC reports in a running exporter: named, judged, and counted once over a restart."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.simulator import Profile, StandIn, World
from tests.support.commands import run_command
from tests.support.dns.server import dns_server
from tests.support.exporter import Exporter
from tests.support.reports import wire
from tests.support.reports.history import seconds
from tests.support.standin import Scene, server_table

ZONES = ("1.2.0.192.in-addr.arpa. IN PTR o1.ptr.sendgrid.net.", "o1.ptr.sendgrid.net. IN A 192.0.2.1")
NEW = "stalwart_dmarc_new_sources_total"


def report(world: World, ago: int, reporter: int, *sources: str) -> None:
    """The server has received a report about a day."""
    records = [wire.record(20, source=source) for source in sources]
    span = {"begin": seconds(ago), "end": seconds(ago - 1) - 1}
    name = f"r-{ago}-{reporter}-{len(sources)}"
    world.plant_report("dmarc", wire.dmarc(name, reporter=f"r{reporter}.test", records=records, **span))


def fortnight(world: World) -> None:
    """Enough reports for a verdict."""
    for ago in range(16, 0, -1):
        for reporter in (1, 2):
            report(world, ago, reporter, "192.0.2.1")


@pytest.mark.fault("configuration", "the database of autonomous systems is missing")
def test_sources_are_named_judged_and_counted_once(tmp_path: Path):
    """Reports at the start are no news; a missing database of networks is a warning, and DNS delays nothing else."""
    with ExitStack() as stack:
        resolver = stack.enter_context(dns_server(*ZONES))
        server = stack.enter_context(StandIn(Profile(version="0.15.5")))
        server.call(fortnight)
        checks = f'[checks]\ninterval = "2s"\nresolver = ["{resolver.address}"]\nas_database = "{tmp_path}/none.mmdb"\n'
        exporter = stack.enter_context(Exporter(tmp_path, config=checks + server_table(server.url, native=False)))
        scene = Scene(server, exporter)
        scene.wait_for("stalwart_dmarc_policy_ready", 1, domain="example.test", policy="quarantine")
        assert scene.value("stalwart_dmarc_policy_hurt_messages", domain="example.test", policy="quarantine") == 0
        scene.wait(lambda: named(exporter) == ["SendGrid"], lambda: f"the source is named: {named(exporter)}")
        assert scene.value(NEW, domain="example.test") == 0

        server.call(lambda world: report(world, 1, 3, "192.0.2.9", "203.0.113.1"))
        scene.wait_for(NEW, 1, domain="example.test")
        exporter.stop()
        exporter.start()
        scene.wait_for(NEW, 1, domain="example.test")
        scene.after_polls("reports")
        assert scene.value(NEW, domain="example.test") == 1
        warned = [event for event in exporter.events() if event["event"] == "as_database.read_failed"]
        assert len(warned) <= 2, "once per life"
        assert "192.0.2" not in scene.page()


def named(exporter: Exporter) -> list[str]:
    """Who is behind the sources, as the command says."""
    done = run_command(exporter.directory, "reports", "sources", "--json")
    return [row["sender"] for row in json.loads(done.stdout)]
