"""The relay that takes the outgoing mail: what it has accepted, and how much it accepts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from exporter.simulator import Profile, Reply, StandIn, World
from tests.support.exporter import Exporter
from tests.support.standin import Scene, after_polls, community, counting, enterprise, server_table

RELAY = "Smtp.Relay.TEST."
SETTINGS = """
[servers.relay]
host = "smtp.relay.test"
recipients_per_hour = 500
recipients_per_day = 10000
"""
SOURCES: dict[str, tuple[Profile, str]] = {
    f"{source}-{version}": (profile, streams)
    for version in ("0.12.5", "0.15.5", "0.16.18")
    for source, profile, streams in (
        ("log", community(version), "off"),
        ("stored", enterprise(version), "off"),
        ("live", enterprise(version), "auto"),
    )
}
ACCEPTED = "stalwart_relay_recipients_total"


def _send_through_the_relay(world: World) -> None:
    gone = {"gone": Reply(550, "5.1.1", "No such user")}
    world.set_destination("big.test", "accept", relay=RELAY, replies=gone)
    world.set_destination("late.test", "defer", relay=RELAY)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Scene]]:
    """Servers of all generations with a relay, counted from each source, and one without."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(StandIn(profile)) for name, (profile, _) in SOURCES.items()}
        tables = [server_table(servers[name].url, name=name, streams=SOURCES[name][1]) + SETTINGS for name in servers]
        exporter = stack.enter_context(Exporter(tmp_path_factory.mktemp("relay"), config="".join(tables)))
        made = [Scene(server, exporter, name) for name, server in servers.items()]
        counting(made)
        for scene in made:
            if scene.name.startswith("live"):
                scene.wait_for("stalwart_exporter_stream_connected", 1, stream="traces")
        yield made


def test_what_the_relay_accepts_is_counted_by_recipient(scenes: list[Scene]):
    """Neither what it rejects or defers, nor what goes to a mailbox or to another host."""
    for scene in scenes:
        assert scene.value(ACCEPTED) == 0
        assert scene.value("stalwart_relay_budget_recipients", window="1h") == 500
        assert scene.value("stalwart_relay_budget_recipients", window="1d") == 10_000
        scene.server.call(_send_through_the_relay)
        scene.mail("a@big.test", "b@big.test", "gone@big.test", "c@late.test", "d@ok.test", "bob@example.test")
        scene.mail("e@big.test")

    for scene in scenes:
        scene.wait_for(ACCEPTED, 3)
    after_polls(scenes, "logs", "native")
    for scene in scenes:
        assert scene.value(ACCEPTED) == 3, scene.name
