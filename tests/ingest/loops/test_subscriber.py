"""Following a live stream through everything that can happen to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.ingest.loops.feed import Applied, Feed
from exporter.model.live import StreamKind
from exporter.model.server import Capability, CapabilityStatus
from exporter.simulator import Profile, StandIn, World
from exporter.stalwart.live import LiveClient
from tests.support.exporter import wait_until
from tests.support.rigs.rest_subscriber import Following, following
from tests.support.standin import asked, enterprise, mail, outcomes

TRACES = "/api/telemetry/traces/live"
TOKEN = "/api/telemetry/live/tracing-token"


@pytest.fixture(params=[False, True], ids=["sse", "websocket"])
def server(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in that streams fifty times as fast as a real one."""
    with StandIn(enterprise(live_websocket=request.param)) as running:
        hurry(running)
        yield running


def hurry(server: StandIn) -> None:
    """Messages and pings follow each other fifty times as fast."""
    server.call(lambda _: setattr(server.simulator.front.api.live, "pace", 50.0))


def play(server: StandIn, folder: Path, scene: Callable[[Following], Awaitable[None]], **options: Any) -> None:
    """Plays *scene* with a subscriber on *server*, over the transport that it speaks."""
    options.setdefault("mode", "websocket" if server.simulator.world.profile.live_websocket else "sse")

    async def inside() -> None:
        async with following(server, folder, **options) as watch:
            await scene(watch)

    asyncio.run(inside())


async def counted(watch: Following) -> None:
    """Waits until the deliveries shown are those that the server made."""
    await watch.until(lambda: watch.shown("deliveries") == outcomes(watch.server), "all deliveries are counted")


async def connected(watch: Following, times: int = 1) -> None:
    """Waits until the stream has been opened so many times and is open."""
    await watch.until(lambda: watch.stream.connected and watch.stream.connects >= times, f"connected {times} times")


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


def test_silence_past_the_deadline_is_a_dead_stream(server: StandIn, tmp_path: Path):
    """A connection on which nothing comes any more is given up, though nobody has closed it."""
    server.faults.add("stream-silence", TRACES, messages=2, times=1)

    async def scene(watch: Following) -> None:
        await connected(watch, 2)
        mail(server, "a@ok.test")
        await counted(watch)
        assert watch.board.collectors["live_traces"].failures == {"timeout": 1}

    # The first ping tells the server's own interval; the silence comes after it.
    play(server, tmp_path, scene, idle_margin_seconds=2.0)


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


def test_a_message_of_another_shape_is_counted_and_skipped(server: StandIn, tmp_path: Path):
    """What cannot be read does not end the stream."""
    number = server.faults.add("stream-garbage", TRACES, body='{"no": "such thing"}')

    async def scene(watch: Following) -> None:
        await connected(watch)
        await watch.until(lambda: watch.board.unknown.get("live_trace"), "it was counted")
        assert watch.stream.connected
        assert watch.stream.connects == 1
        assert watch.stream.dropped > 0

    play(server, tmp_path, scene)
    assert server.faults.struck(number) == 1


def test_a_token_that_is_not_taken_leads_to_a_new_one(server: StandIn, tmp_path: Path):
    """A token that has expired on its way is not the end."""
    server.faults.add("token-expired", TRACES, times=2)

    async def scene(watch: Following) -> None:
        await connected(watch)
        assert watch.board.collectors["live_traces"].failures.get("server_error", 0) >= 1
        assert "refused" not in watch.board.collectors["live_traces"].failures
        assert len(asked(server, TOKEN)) >= 2

    play(server, tmp_path, scene)


def test_an_error_with_status_200_is_an_error(server: StandIn, tmp_path: Path):
    """The server's way of saying that something failed is not taken for a stream."""
    server.faults.add("error-200", TRACES, times=2)

    async def scene(watch: Following) -> None:
        await connected(watch)
        assert watch.board.collectors["live_traces"].failures.get("server_error", 0) >= 1

    play(server, tmp_path, scene)


def test_a_message_that_drips_in_is_read_when_it_is_whole(server: StandIn, tmp_path: Path):
    """Bytes that come one by one make the same message."""
    server.faults.add("drip", "/api/telemetry/metrics/live", seconds=0.0005, times=1)

    async def scene(watch: Following) -> None:
        mail(server, "a@ok.test")
        await watch.until(lambda: watch.shown("events").get(("delivery.dsn-success",)) == 1, "the message is whole")

    play(server, tmp_path, scene, kind=StreamKind.METRICS)


def test_a_message_that_drips_for_too_long_is_a_dead_stream(server: StandIn, tmp_path: Path):
    """Bytes are not life; messages are."""
    server.faults.add("drip", "/api/telemetry/metrics/live", seconds=1.0, times=1)

    async def scene(watch: Following) -> None:
        await connected(watch, 2)
        assert watch.board.collectors["live_metrics"].failures == {"timeout": 1}

    play(server, tmp_path, scene, kind=StreamKind.METRICS, idle_margin_seconds=-9.0)


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


class HourClock(SystemClock):
    """A clock on which a minute passes at once, and an hour when the test lets it pass."""

    def __init__(self) -> None:
        self.minutes = 0
        self._passed = asyncio.Event()
        self._hours = 0
        self.waiting = False

    def monotonic(self) -> float:
        return super().monotonic() + 3600 * self._hours + 60 * self.minutes

    async def sleep(self, seconds: float) -> None:
        if 59 < seconds <= 60:
            self.minutes += 1
            return
        if seconds < 3600:
            await super().sleep(seconds)
            return
        assert seconds == 3600
        self.waiting = True
        await self._passed.wait()

    def pass_hour(self) -> None:
        """An hour goes by."""
        self._hours += 1
        self._passed.set()
        self._passed, self.waiting = asyncio.Event(), False


@pytest.mark.parametrize("profile", [Profile(), Profile(edition="unlicensed")], ids=["community", "unlicensed"])
def test_a_server_without_streams_is_asked_once_an_hour(profile: Profile, tmp_path: Path):
    """
    What the edition does not have is asked for again after an hour, and meanwhile the next source takes over.

    A 404 is confirmed by a second look; an error object needs none.
    """
    looks = 2 if profile == Profile() else 1
    with StandIn(profile) as without:

        async def scene(watch: Following) -> None:
            clock = watch.clock
            assert isinstance(clock, HourClock)
            for times in (1, 2, 3):
                await watch.until(lambda: clock.waiting, "it waits for an hour")
                assert len([r for r in without.requests if "telemetry" in r.path]) == times - 1 + looks
                assert watch.board.collectors["live_metrics"].off
                clock.pass_hour()
            assert watch.choice.claim("native").feeds

        play(without, tmp_path, scene, kind=StreamKind.METRICS, clock=HourClock())


def test_a_key_that_lacks_the_permission_is_told_so(server: StandIn, tmp_path: Path):
    """The capability says forbidden and the failure is counted."""
    server.call(lambda world: world.directory.grant("watcher", frozenset({"authenticate"})))

    async def scene(watch: Following) -> None:
        await watch.until(lambda: watch.board.capabilities.get(Capability.LIVE_TRACES), "it was asked for")
        assert watch.board.capabilities[Capability.LIVE_TRACES] is CapabilityStatus.FORBIDDEN
        assert "tracing-live" in watch.board.collectors["live_traces"].off

    play(server, tmp_path, scene)


class Broken:
    """A feed with a bug in it."""

    def __init__(self, feed: Feed) -> None:
        self.kind = feed.kind
        self.heartbeat_seconds = feed.heartbeat_seconds
        self._feed = feed

    async def connected(self) -> None:
        await self._feed.connected()

    async def apply(self, client: LiveClient, messages: Sequence[bytes], dropped: int) -> Applied:
        raise ZeroDivisionError("a bug")

    async def lost(self) -> None:
        await self._feed.lost()

    async def out(self, *, for_good: bool) -> None:
        await self._feed.out(for_good=for_good)


def test_a_bug_is_counted_as_internal_and_the_stream_tried_again(server: StandIn, tmp_path: Path):
    """A bug in one subscriber ends nothing but this connection of it."""

    async def scene(watch: Following) -> None:
        await connected(watch)
        mail(server, "a@ok.test")
        health = watch.board.collectors["live_traces"]
        await watch.until(lambda: health.failures.get("internal"), "the bug was met")
        await connected(watch, 2)

    play(server, tmp_path, scene, wrap=Broken, reraise_bugs=False)


def test_ending_closes_the_stream(server: StandIn, tmp_path: Path):
    """After a cancellation nothing is left open on either side."""

    async def scene(watch: Following) -> None:
        await connected(watch)
        assert server.call(lambda _: len(server.simulator.front.api.live.channels)) == 1

    play(server, tmp_path, scene)

    wait_until(
        lambda: not server.call(lambda _: len(server.simulator.front.api.live.channels)),
        what="the server's side is over",
    )
