"""Streams that are refused, are not there, or end."""

from __future__ import annotations

import asyncio

import pytest

from exporter.clock import SystemClock
from exporter.errors import (
    PayloadError,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetUnreachable,
    TargetUnsupported,
)
from exporter.model.live import LiveMessage, StreamKind
from exporter.model.server import Generation
from exporter.model.telemetry import ServerTotals
from exporter.simulator import ManualClock, Profile, StandIn
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.rest.live.client import RestLiveClient
from exporter.stalwart.streams.live_stream import LiveStream
from exporter.stalwart.streams.opening import Mode
from tests.support.rigs.rest_streams import PATHS, TOKENS, with_client
from tests.support.standin import asked, enterprise


async def until_it_ends(stream: LiveStream, got: list[LiveMessage]) -> None:
    """Adds what comes to *got*; raises what the stream ends with."""
    async with asyncio.timeout(30), stream.reading():
        while True:
            got += (await stream.receive()).messages


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 401}, TargetServerError),
        ({"kind": "status", "status": 403}, TargetForbidden),
        ({"kind": "status", "status": 404}, TargetUnsupported),
        ({"kind": "status", "status": 503}, TargetServerError),
        ({"kind": "error-200", "error": "other"}, TargetServerError),
        ({"kind": "error-200", "error": "unsupported", "body": "Enterprise feature"}, TargetUnsupported),
        ({"kind": "html"}, TargetServerError),
        ({"kind": "html", "status": 200}, PayloadError),
        ({"kind": "redirect"}, PayloadError),
        ({"kind": "body", "body": '{"data": 1}'}, PayloadError),
        ({"kind": "close"}, TargetUnreachable),
        ({"kind": "garbage"}, TargetError),
    ],
)
@pytest.mark.parametrize("mode", ["auto", "websocket", "sse"])
def test_another_answer_than_a_stream_is_an_error_that_says_what_it_is(
    server: StandIn, mode: Mode, fault: dict[str, object], error: type[TargetError]
):
    """Whatever comes instead of a stream ends as one of our errors, and refused tokens are not refused credentials."""
    server.faults.add(path=PATHS[StreamKind.TRACES], **fault)  # type: ignore[arg-type]

    async def work(client: RestLiveClient) -> None:
        with pytest.raises(error) as caught:
            await client.open(StreamKind.TRACES)
        assert not isinstance(caught.value, TargetRefused)

    with_client(server.url, work, mode=mode)


class SlowThrottle(Throttle):
    """A throttle that keeps the second request of all waiting for more than a minute of the server's time."""

    def __init__(self, server: StandIn) -> None:
        super().__init__(clock=SystemClock(), requests=1000)
        self._server = server
        self._waited = 0

    async def wait(self) -> None:
        await super().wait()
        self._waited += 1
        if self._waited == 2:
            await asyncio.to_thread(self._server.advance, 61)


def test_a_token_that_expired_on_its_way_is_no_refusal_and_the_next_one_is_good(server: StandIn):
    """Tokens live for a minute; one that waited longer fails, and nothing but that."""
    with StandIn(server.simulator.world.profile, clock=ManualClock()) as slow:

        async def work(client: RestLiveClient) -> None:
            with pytest.raises(TargetServerError, match="token"):
                await client.open(StreamKind.METRICS)
            stream = await client.open(StreamKind.METRICS)
            await stream.aclose()

        with_client(slow.url, work, throttle=SlowThrottle(slow))

        assert next(r.status for r in asked(slow, PATHS[StreamKind.METRICS])) == 401


def test_refused_credentials_are_not_sent_again():
    """The request for a token is latched like every other."""
    with StandIn(enterprise()) as server:

        async def work(client: RestLiveClient) -> None:
            for kind in StreamKind:
                with pytest.raises(TargetRefused):
                    await client.open(kind)

        with_client(server.url, work, login=("watcher", "wrong"))

        assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("profile", "status"),
    [(Profile(), "unsupported"), (Profile(edition="unlicensed"), "not_licensed")],
    ids=["community", "unlicensed"],
)
def test_a_server_without_streams_is_asked_for_a_token_only(profile: Profile, status: str):
    """Where the edition does not have them, the stream itself is never asked for."""
    with StandIn(profile) as server:

        async def work(client: RestLiveClient) -> None:
            with pytest.raises(TargetUnsupported) as caught:
                await client.open(StreamKind.TRACES)
            assert caught.value.status == status

        with_client(server.url, work)

        assert [request.path for request in server.requests] == [TOKENS[StreamKind.TRACES]]


def test_a_server_of_the_other_generation_is_not_asked():
    """Its streams have other addresses and another shape."""
    with StandIn(enterprise()) as server:

        async def work(client: RestLiveClient) -> None:
            with pytest.raises(TargetUnsupported):
                await client.open(StreamKind.TRACES)

        with_client(server.url, work, generation=Generation.JMAP)

        assert server.requests == []


def test_a_stream_that_ends_says_so(server: StandIn):
    """A reload of the server's settings ends the stream; that is an error which a reconnect heals."""

    async def work(client: RestLiveClient) -> None:
        stream = await client.open(StreamKind.TRACES)
        server.call(lambda _: server.simulator.front.api.live.end())
        with pytest.raises(TargetUnreachable):
            await until_it_ends(stream, [])

    with_client(server.url, work)


@pytest.mark.parametrize("kind", ["stream-cut", "stream-end"])
def test_a_message_that_is_cut_is_no_message(server: StandIn, kind: str):
    """What came whole is read, the rest is an error."""
    server.faults.add(kind, PATHS[StreamKind.METRICS], messages=1)

    async def work(client: RestLiveClient) -> list[LiveMessage]:
        got: list[LiveMessage] = []
        server.call(lambda _: setattr(server.simulator.front.api.live, "pace", 50.0))
        stream = await client.open(StreamKind.METRICS)
        with pytest.raises(TargetUnreachable):
            await until_it_ends(stream, got)
        return got

    (only,) = with_client(server.url, work)  # type: ignore[misc]

    assert isinstance(only, ServerTotals)
