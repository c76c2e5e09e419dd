"""Unusual senders, seen by the running exporter: a stolen account, a newsletter, a new account."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.simulator import Profile, Reply, StandIn, World
from tests.support.commands import run_command
from tests.support.exporter import Exporter, wait_until
from tests.support.standin import Scene, after_polls, community, counting, enterprise, server_table

HOUR, WEEK = 3600, 7 * 24
SOURCES: dict[str, tuple[Profile, str]] = {
    f"{source}-{version}": (profile, streams)
    for version in ("0.12.5", "0.15.5", "0.16.18")
    for source, profile, streams in (("log", community(version), "off"), ("live", enterprise(version), "auto"))
}
UNUSUAL = "stalwart_unusual_senders"
SUBMISSIONS = "stalwart_submissions_total"
REASONS = ("volume", "destinations", "day", "failures", "rejects", "odd_hours")


def steal(world: World, account: str = "bob") -> None:
    """300 messages to 250 strangers."""
    for number in range(300):
        world.submit([f"stranger{number % 250}@ok.test"], sender=f"{account}@example.test")
    world.tick()


def begin(world: World, account: str = "dora") -> None:
    """A new account writes to some people, and more often to a colleague."""
    for number in range(20):
        world.submit([f"friend{number}@ok.test"], sender=f"{account}@example.test")
    for _ in range(40):
        world.submit(["alice@example.test"], sender=f"{account}@example.test")
    world.tick()


def history_of(exporter: Exporter) -> Path:
    return exporter.directory / "history.sqlite3"


def summed(exporter: Exporter, sql: str) -> int:
    """One number of the history."""
    connection = sqlite3.connect(f"file:{history_of(exporter)}?mode=ro", uri=True)
    try:
        return int(connection.execute(sql).fetchone()[0] or 0)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Scene]]:
    """Servers of all generations, whose trail comes from the log or from a live stream."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(StandIn(profile)) for name, (profile, _) in SOURCES.items()}
        tables = [server_table(servers[name].url, name=name, streams=SOURCES[name][1]) for name in servers]
        exporter = stack.enter_context(Exporter(tmp_path_factory.mktemp("senders"), config="".join(tables)))
        made = [Scene(server, exporter, name) for name, server in servers.items()]
        counting(made)
        for scene in made:
            if scene.name.startswith("live"):
                scene.wait_for("stalwart_exporter_stream_connected", 1, stream="traces")
        yield made


def test_a_stolen_account_is_unusual_and_a_new_one_is_not(scenes: list[Scene]):
    """Counted once, whatever the source; the names are on the command line only."""
    for scene in scenes:
        scene.server.call(begin)
        scene.server.call(steal)

    for scene in scenes:
        scene.wait_for(UNUSUAL, 1, reason="destinations")
        scene.wait_for(SUBMISSIONS, 360, domain="example.test")
    after_polls(scenes, "senders")
    for scene in scenes:
        shown = {reason: scene.value(UNUSUAL, reason=reason) for reason in REASONS}
        assert shown == dict.fromkeys(REASONS, 0) | {"destinations": 1, "volume": 1}
        assert scene.value(SUBMISSIONS, domain="example.test") == 360
        scene.wait_for("stalwart_submitting_accounts", 2)
    page = scenes[0].page()
    assert "stranger" not in page
    assert "bob" not in page


def test_the_command_names_the_sender_and_the_reason(scenes: list[Scene]):
    """Which account, by how much, and what it did."""
    exporter = scenes[0].exporter
    for scene in scenes:
        scene.wait_for(UNUSUAL, 1, reason="destinations")

    done = run_command(exporter.directory, "senders", "unusual", "--json")

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {(one["server"], one["sender"]) for one in found} == {(scene.name, "bob") for scene in scenes}
    reasons = {reason["reason"]: (reason["seen"], reason["allowed"]) for reason in found[0]["reasons"]}
    assert reasons == {"volume": (300, 100), "destinations": (250, 50)}


def seed(path: Path, server: str, account: str, hours: dict[int, int]) -> None:
    """Writes a past of so many messages, each to another address, by Unix hour."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executemany(
            "INSERT INTO sender_hour VALUES (?, ?, ?, 'example.test', ?, ?, ?, 0, 0)",
            [(server, account, hour, messages, messages, messages) for hour, messages in hours.items()],
        )
    connection.close()


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_a_newsletter_of_each_week_is_not_unusual_after_a_restart(tmp_path: Path, version: str):
    """The past is in the history: the same mail is judged by it, and another account's is not excused."""
    now = int(time.time()) // HOUR
    with StandIn(community(version)) as server:
        exporter = Exporter(tmp_path, config=server_table(server.url))
        with exporter:
            scene = Scene(server, exporter, "mx1")
            counting([scene])
        mondays = {now - week * WEEK + late: 300 for week in (1, 2, 3, 4) for late in (0, 1)}
        seed(history_of(exporter), "mx1", "alice", mondays)
        with exporter:
            server.call(lambda world: steal(world, "alice"))
            scene.wait_for(SUBMISSIONS, 300, domain="example.test")
            after_polls([scene], "senders")
            assert [scene.value(UNUSUAL, reason=reason) for reason in REASONS] == [0] * len(REASONS)

            server.call(steal)
            scene.wait_for(UNUSUAL, 1, reason="destinations")


def submit_some(world: World, part: int) -> None:
    """40 messages, each to one address that exists and one that does not."""
    for number in range(40):
        world.submit([f"a{part}-{number}@ok.test", "gone@ok.test"])
    world.tick()


@pytest.mark.fault("process", "killed while submissions are counted")
@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_submissions_are_counted_once_whenever_the_exporter_is_killed(tmp_path: Path, version: str):
    """Hours, trail and counter agree with the server after each kill."""
    gone = {"gone": Reply(550, "5.1.1", "No such user")}
    with StandIn(community(version)) as server:
        server.call(lambda world: world.set_destination("ok.test", "accept", replies=gone))
        exporter = Exporter(tmp_path, config=server_table(server.url))
        scene = Scene(server, exporter, "mx1")
        exporter.start()
        counting([scene])
        for part in range(3):
            server.call(lambda world, part=part: submit_some(world, part))
            exporter.kill()
            exporter.start()
        scene.wait_for(SUBMISSIONS, 120, domain="example.test")
        after_polls([scene], "logs", "senders")
        assert scene.value(SUBMISSIONS, domain="example.test") == 120
        exporter.stop()

    assert summed(exporter, "SELECT sum(messages) FROM sender_hour") == 120
    assert summed(exporter, "SELECT sum(recipients) FROM sender_hour") == 240
    assert summed(exporter, "SELECT sum(failures) FROM sender_hour") == 120
    assert summed(exporter, "SELECT sum(destinations) FROM sender_hour") >= 121
    assert summed(exporter, "SELECT count(*) FROM trail_message WHERE kind = 'submitted'") == 120


def test_without_the_trail_there_are_no_senders(tmp_path: Path):
    """No zero is invented."""
    config = "[trail]\nenabled = false\n"
    with StandIn(community()) as server, Exporter(tmp_path, config=config + server_table(server.url)) as exporter:
        scene = Scene(server, exporter, "mx1")
        counting([scene])
        server.call(steal)
        scene.wait_for("stalwart_deliveries_total", 300, outcome="delivered", reason="", code="250")
        after_polls([scene], "queue")

        assert scene.value(UNUSUAL, reason="volume") is None
        assert scene.value("stalwart_submitting_accounts") is None
        assert scene.shown(SUBMISSIONS, "domain") == {}


@pytest.mark.slow
def test_a_stolen_account_is_seen_at_default_intervals(tmp_path: Path):
    """While it sends, one message every two seconds, long before its ten minutes are over."""

    def steal_slowly(world: World) -> None:
        for number in range(300):
            address = f"stranger{number % 250}@ok.test"
            world.after(2.0 * number, lambda address=address: world.submit([address], sender="bob@example.test"))

    config = server_table("URL", every=None)
    with StandIn(community()) as server, Exporter(tmp_path, config=config.replace("URL", server.url)) as exporter:
        scene = Scene(server, exporter, "mx1")
        scene.wait_for("stalwart_exporter_collector_success", 1, collector="logs")
        server.call(steal_slowly)

        wait_until(lambda: scene.value(UNUSUAL, reason="destinations"), what="the account is unusual", seconds=300)
        assert (scene.value(SUBMISSIONS, domain="example.test") or 0) < 300
