"""Following a live stream through everything that can happen to it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from exporter.model.live import StreamKind
from exporter.model.server import Capability, CapabilityStatus
from exporter.simulator import StandIn, World
from tests.support.rigs.rest_following import TOKEN, TRACES, connected, counted, play
from tests.support.rigs.rest_subscriber import Following
from tests.support.standin import asked, enterprise, mail, outcomes


def test_deliveries_are_counted_as_they_happen(server: StandIn, tmp_path: Path):
    """What the stream tells is counted at once, other families are only counted as events."""

    async def scene(watch: Following) -> None:
        await connected(watch)
        mail(server, "a@ok.test", "b@reject.test", times=5)
        mail(server, "c@defer.test", "d@refused.test", times=5)
        await counted(watch)
        assert watch.stream.transport == ("websocket" if server.simulator.world.profile.live_websocket else "sse")
        assert watch.stream.events > sum(outcomes(server).values())
        assert watch.stream.last_event_at is not None
        assert watch.board.capabilities[Capability.LIVE_TRACES] is CapabilityStatus.AVAILABLE

    play(server, tmp_path, scene)


def test_metrics_are_counted_as_totals(server: StandIn, tmp_path: Path):
    """The first message is adopted as it stands, the next ones by their difference."""

    async def scene(watch: Following) -> None:
        mail(server, "a@ok.test", times=3)
        await watch.until(lambda: watch.shown("events").get(("delivery.dsn-success",)) == 3, "adopted")
        mail(server, "a@ok.test", times=4)
        await watch.until(lambda: watch.shown("events").get(("delivery.dsn-success",)) == 7, "counted on")
        assert watch.board.metrics_source == "live"
        assert watch.board.gauges is not None

    play(server, tmp_path, scene, kind=StreamKind.METRICS)


def test_a_restart_of_the_server_goes_on_from_zero(server: StandIn, tmp_path: Path):
    """The server's totals begin anew, ours go on."""

    async def scene(watch: Following) -> None:
        mail(server, "a@ok.test", times=5)
        await watch.until(lambda: watch.shown("events").get(("delivery.dsn-success",)) == 5, "adopted")
        await asyncio.to_thread(server.restart)
        mail(server, "a@ok.test", times=2)
        await watch.until(lambda: watch.shown("events").get(("delivery.dsn-success",)) == 7, "counted on")
        assert watch.stream.reconnects >= 1

    play(server, tmp_path, scene, kind=StreamKind.METRICS)


def test_a_reload_of_the_servers_settings_ends_the_stream_and_it_comes_back(server: StandIn, tmp_path: Path):
    """The time without it is counted, and so is the reconnect."""

    async def scene(watch: Following) -> None:
        await connected(watch)
        for times in (2, 3):
            server.call(lambda _: server.simulator.front.api.live.end())
            await connected(watch, times)
        mail(server, "a@ok.test")
        await counted(watch)
        assert watch.stream.reconnects == 2
        assert watch.stream.gap_seconds > 0
        assert len(asked(server, TOKEN)) == 3

    play(server, tmp_path, scene)


@pytest.mark.parametrize("learns", [True, False], ids=["learns", "unlearns"])
def test_a_server_that_comes_back_as_another_is_asked_for_a_websocket_again(learns: bool, tmp_path: Path):
    """What was found out about the transport holds until the server has been away."""
    before, after = ("sse", "websocket") if learns else ("websocket", "sse")
    with StandIn(enterprise(live_websocket=not learns)) as server:

        async def scene(watch: Following) -> None:
            await connected(watch)
            assert watch.stream.transport == before
            await asyncio.to_thread(server.stop_listening)
            await watch.until(lambda: watch.board.collectors["live_traces"].failures.get("unreachable", 0) > 1, "away")
            await asyncio.to_thread(server.upgrade, live_websocket=learns)
            await asyncio.to_thread(server.start_listening)
            await connected(watch, 2)
            assert watch.stream.transport == after

        play(server, tmp_path, scene, mode="auto")


def test_pings_keep_a_quiet_stream_alive(server: StandIn, tmp_path: Path):
    """A stream on which nothing happens is followed for as long as it says so."""

    async def scene(watch: Following) -> None:
        await connected(watch)
        health, quiet_since = watch.board.collectors["live_traces"], None
        for _ in range(3):
            quiet_since = health.last_success_at
            await watch.until(lambda since=quiet_since: health.last_success_at != since, "a ping has come")  # type: ignore[misc]
        assert watch.stream.connects == 1
        assert health.interval_seconds == 0.6

    play(server, tmp_path, scene, idle_margin_seconds=5.0)


def test_a_message_that_comes_twice_is_counted_once(server: StandIn, tmp_path: Path):
    """The second of two equal messages is dropped, and that is counted."""
    server.faults.add("stream-duplicate", TRACES)

    async def scene(watch: Following) -> None:
        await connected(watch)
        mail(server, "a@ok.test", "b@reject.test", times=3)
        await counted(watch)
        await watch.until(lambda: watch.stream.dropped, "the second one has come")
        assert watch.shown("deliveries") == outcomes(server)

    play(server, tmp_path, scene)


def test_ten_thousand_events_in_a_second_are_all_read(server: StandIn, tmp_path: Path):
    """A burst is read whole, deliveries in it counted, nothing dropped."""

    async def scene(watch: Following) -> None:
        await connected(watch)

        def burst(world: World) -> None:
            world.raise_event("imap.connection-start", times=5000)
            for _ in range(200):
                world.submit(["a@ok.test"])
            world.tick()
            world.raise_event("imap.connection-start", times=5000)

        server.call(burst)
        await counted(watch)
        await watch.until(lambda: watch.stream.events >= 10_000, "all of them have come")
        assert watch.stream.dropped == 0

    play(server, tmp_path, scene)
