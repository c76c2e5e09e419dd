"""Following the streams of a server of v0.16, whose traces repeat all that went before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.app.servers.connection import ServerConnection
from exporter.clock import SystemClock
from exporter.errors import TargetUnsupported
from exporter.model.server import Capability, CapabilityStatus
from exporter.simulator import ManualClock, Profile, StandIn
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.jmap.live.client import JmapLiveClient
from exporter.stalwart.live import LiveClient
from exporter.stalwart.streams.opening import StreamOpener
from tests.support.rigs.jmap_subscribers import Watch, watching
from tests.support.standin import asked, enterprise, mail, outcomes, tomorrow

TRACES, METRICS = "/api/live/tracing", "/api/live/metrics"
JMAP = "0.16.18"


def play(server: StandIn, folder: Path, scene: Callable[[Watch], Awaitable[None]], **options: Any) -> None:
    """Plays *scene* on *server*, which streams fifty times as fast as a real one."""
    server.call(lambda _: setattr(server.simulator.front.api.live, "pace", 50.0))

    async def inside() -> None:
        async with watching(server, folder, **options) as watch:
            await scene(watch)

    asyncio.run(inside())


async def connected(watch: Watch, times: int = 1) -> None:
    """Waits until both streams are open, that of traces for at least the so-many-th time."""
    await watch.until(
        lambda: all(one.connected for one in watch.board.streams.values()) and watch.traces.connects >= times,
        f"connected {times} times",
    )


async def counted(watch: Watch) -> None:
    """Waits until the deliveries shown are those that the server made."""
    await watch.until(lambda: watch.shown("deliveries") == outcomes(watch.server), "all deliveries are counted")


async def totals_agree(watch: Watch) -> None:
    """Waits until the server's counter of deliveries shows all that the server ever made."""
    sent = watch.server.call(lambda world: world.ledger.events["delivery.dsn-success"])
    await watch.until(lambda: watch.shown("events").get(("delivery.dsn-success",)) == sent, "the totals agree")


async def counted_with_storage(watch: Watch) -> None:
    """The same as `counted`, with stored traces polled meanwhile."""
    deadline = asyncio.get_running_loop().time() + 60
    while (shown := watch.shown("deliveries")) != (made := outcomes(watch.server)):
        assert asyncio.get_running_loop().time() < deadline, (shown, made, watch.traces)
        await watch.poll_traces()
        await asyncio.sleep(0.2)


def renewing(connection: ServerConnection, *, repeated_bytes: int) -> LiveClient:
    """A client that opens its stream of traces anew after so many bytes."""
    clock = SystemClock()
    opener = StreamOpener(
        base_url=connection.transport._base_url,
        mode="auto",
        throttle=Throttle(clock=clock, requests=10_000),
        clock=clock,
    )
    return JmapLiveClient(
        connection.transport, opener, connection.jmap, clock=clock, repeated_bytes=repeated_bytes, renewal_seconds=0.0
    )


def test_deliveries_and_totals_are_counted_as_they_happen(tmp_path: Path):
    """Message after message repeats the deliveries, and each is counted once; the totals agree with the server's."""
    with StandIn(enterprise(JMAP)) as server:

        async def scene(watch: Watch) -> None:
            await connected(watch)
            for _ in range(4):
                mail(server, "a@ok.test", "b@reject.test", times=3)
                mail(server, "c@defer.test", "d@refused.test", times=3)
                await counted(watch)
            await totals_agree(watch)
            assert watch.traces.transport == "sse"
            assert watch.traces.dropped == 0
            assert watch.board.metrics_source == "live"
            assert watch.board.capabilities[Capability.LIVE_TRACES] is CapabilityStatus.AVAILABLE
            assert {r.status for r in server.requests} <= {200, 302, 404}

        play(server, tmp_path, scene)


def test_messages_that_come_twice_are_no_news(tmp_path: Path):
    """A server repeats itself anyway: nothing of it is dropped or doubled."""
    with StandIn(enterprise(JMAP)) as server:
        server.faults.add("stream-duplicate", TRACES)

        async def scene(watch: Watch) -> None:
            await connected(watch)
            for _ in range(3):
                mail(server, "a@ok.test", "b@reject.test", times=2)
                await counted(watch)
            assert watch.traces.dropped == 0
            assert watch.traces.connects == 1

        play(server, tmp_path, scene)


def test_a_stream_that_has_become_dear_is_opened_anew_without_a_failure(tmp_path: Path):
    """What happens meanwhile is told by stored traces; nothing is lost, doubled, or called a failure."""
    with StandIn(enterprise(JMAP)) as server:

        async def scene(watch: Watch) -> None:
            await connected(watch)
            for number in range(1, 5):
                while watch.traces.connects <= number:
                    mail(server, "a@ok.test", "b@reject.test", "c@defer.test")
                    await asyncio.sleep(0.05)
            await connected(watch)
            await counted_with_storage(watch)
            assert watch.board.collectors["live_traces"].failures == {}
            assert watch.traces.connects >= 5
            assert watch.traces.gap_seconds > 0

        play(server, tmp_path, scene, live=lambda connection: renewing(connection, repeated_bytes=20_000))


def test_a_message_with_another_past_is_a_cut(tmp_path: Path):
    """It ends the stream, nothing of it is counted, and the next one tells on."""
    with StandIn(enterprise(JMAP)) as server:
        other = [{"event": "x.y", "timestamp": "2026-11-22T12:00:00Z", "keyValues": {}}]
        server.faults.add("stream-garbage", TRACES, body=json.dumps(other), messages=2, times=1)

        async def scene(watch: Watch) -> None:
            await connected(watch)
            mail(server, "a@ok.test", "b@reject.test")
            await connected(watch, 2)
            assert watch.board.collectors["live_traces"].failures == {"server_error": 1}
            mail(server, "c@ok.test", "d@reject.test")
            await counted_with_storage(watch)

        play(server, tmp_path, scene)


@pytest.mark.parametrize("keeps_traces", [True, False], ids=["stored", "live-only"])
def test_an_attempt_that_began_before_the_stream_counts_once(tmp_path: Path, keeps_traces: bool):
    """Its events do not say which message they are about: its stored trace counts, or else what they do say."""
    profile = replace(enterprise(JMAP, greeting_timeout_seconds=60.0), trace_store=keeps_traces)
    with StandIn(profile, clock=ManualClock(tomorrow())) as server:
        mail(server, "a@hang.test")

        async def scene(watch: Watch) -> None:
            await connected(watch)
            try:
                await watch.poll_traces()
            except TargetUnsupported:
                assert not keeps_traces
            server.advance(90)
            assert sum(outcomes(server).values()) == 1
            deadline = asyncio.get_running_loop().time() + 60
            while sum(watch.shown("deliveries").values()) != 1:
                assert asyncio.get_running_loop().time() < deadline
                if keeps_traces:
                    await watch.poll_traces()
                await asyncio.sleep(0.1)
            mail(server, "b@ok.test")
            await watch.until(lambda: sum(watch.shown("deliveries").values()) == 2, "the next one is counted too")
            assert ("delivered", "", "250") in watch.shown("deliveries")

        play(server, tmp_path, scene)


def test_an_upgrade_leads_to_the_new_streams(tmp_path: Path):
    """From v0.15 over WebSockets to v0.16 over events, with no delivery lost or doubled and no handshake wasted."""
    with StandIn(enterprise("0.15.5", live_websocket=True)) as server:

        async def scene(watch: Watch) -> None:
            await connected(watch)
            assert watch.traces.transport == "websocket"
            await watch.poll_traces()
            mail(server, "a@ok.test", "b@reject.test", times=3)
            await counted(watch)
            await totals_agree(watch)
            before = watch.traces.connects

            await asyncio.to_thread(server.upgrade, JMAP)
            await connected(watch, before + 1)
            await watch.until(lambda: watch.board.identity and watch.board.identity.generation == "jmap", "detected")
            await watch.until(lambda: watch.traces.transport == "sse" and watch.traces.connected, "the new stream")
            await watch.until(lambda: watch.board.streams["metrics"].connected, "the other new stream")

            mail(server, "a@ok.test", "b@reject.test", times=3)
            await counted(watch)
            await totals_agree(watch)
            for path, name in ((TRACES, "traces"), (METRICS, "metrics")):
                new = [request.status for request in asked(server, path)]
                assert set(new) == {200}, "each request for a stream of v0.16 opened one"
                assert len(new) <= watch.board.streams[name].connects

        play(server, tmp_path, scene)


def test_a_server_without_a_licence_is_not_asked_for_streams(tmp_path: Path):
    """Its edition is known from the list of permissions; a refusal would move its counters."""
    with StandIn(Profile(version=JMAP)) as server:

        async def scene(watch: Watch) -> None:
            await watch.until(lambda: all(h.off for h in watch.board.collectors.values()), "both are off")
            assert watch.board.capabilities[Capability.LIVE_TRACES] is CapabilityStatus.NOT_LICENSED
            assert not [r for r in server.requests if "/token/" in r.path or "/live/" in r.path]

        play(server, tmp_path, scene)
