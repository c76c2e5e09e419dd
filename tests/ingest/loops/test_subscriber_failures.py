"""Following a live stream that breaks, lies, is refused, or is not there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from exporter.clock import SystemClock
from exporter.ingest.loops.feed import Applied, Feed
from exporter.model.live import LiveBatch, StreamKind
from exporter.model.server import Capability, CapabilityStatus
from exporter.simulator import Profile, StandIn
from tests.support.exporter import wait_until
from tests.support.rigs.rest_following import TOKEN, TRACES, connected, counted, play
from tests.support.rigs.rest_subscriber import Following
from tests.support.standin import asked, mail


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

    async def apply(self, batch: LiveBatch) -> Applied:
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
