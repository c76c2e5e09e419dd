"""Opening a live stream: which transport it takes, what it sends, and what it makes of other answers."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, urlsplit

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
from exporter.model.live import StreamKind
from exporter.model.server import Generation
from exporter.simulator import ManualClock, Profile, StandIn
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.live.client import RestLiveClient
from exporter.stalwart.streams.opening import Mode, StreamOpener
from exporter.stalwart.streams.stream import EventStream
from exporter.state.costs import ApiCosts
from tests.support.standin import WATCHER, asked, enterprise

TOKENS = {
    StreamKind.METRICS: "/api/telemetry/live/metrics-token",
    StreamKind.TRACES: "/api/telemetry/live/tracing-token",
}
PATHS = {StreamKind.METRICS: "/api/telemetry/metrics/live", StreamKind.TRACES: "/api/telemetry/traces/live"}


@pytest.fixture(params=[False, True], ids=["sse-server", "websocket-server"])
def server(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in of either kind."""
    with StandIn(enterprise(live_websocket=request.param)) as running:
        yield running


@asynccontextmanager
async def live_client(
    url: str,
    *,
    mode: Mode = "auto",
    login: tuple[str, str] = WATCHER,
    generation: Generation = Generation.REST,
    costs: ApiCosts | None = None,
    throttle: Throttle | None = None,
) -> AsyncIterator[RestLiveClient]:
    """A client of the live streams at *url*."""
    clock = SystemClock()
    throttle = throttle or Throttle(clock=clock, requests=1000)
    transport = Transport(
        base_url=url, credentials=Basic(*login), clock=clock, throttle=throttle, observer=costs, read_timeout_seconds=3
    )
    opener = StreamOpener(
        base_url=url, mode=mode, throttle=throttle, clock=clock, observer=costs, answer_timeout_seconds=3
    )
    client = RestLiveClient(transport, opener, generation=lambda: generation)
    try:
        yield client
    finally:
        await client.aclose()
        await transport.aclose()


def with_client(url: str, work: Callable[[RestLiveClient], Awaitable[object]], **options: object) -> object:
    """Runs *work* with a client."""

    async def inside() -> object:
        async with live_client(url, **options) as client:  # type: ignore[arg-type]
            return await work(client)

    return asyncio.run(inside())


async def first_message(stream: EventStream) -> bytes:
    """What comes first."""
    async with asyncio.timeout(10):
        while not (messages := await stream.receive()):
            pass
    return messages[0]


async def until_it_ends(stream: EventStream, got: list[bytes]) -> None:
    """Adds what comes to *got*; raises what the stream ends with."""
    async with asyncio.timeout(30):
        while True:
            got += await stream.receive()


@pytest.mark.parametrize("mode", ["auto", "websocket", "sse"])
@pytest.mark.parametrize("kind", list(StreamKind))
def test_each_mode_reads_what_the_server_speaks(server: StandIn, mode: Mode, kind: StreamKind):
    """Both streams come over the transport that is forced, or over the one that the server has."""
    has_websocket = server.simulator.world.profile.live_websocket

    async def work(client: RestLiveClient) -> tuple[str, bytes]:
        stream = await client.open(kind)
        try:
            server.call(lambda world: (world.submit(["a@ok.test"]), world.tick()))
            return stream.transport, await first_message(stream)
        finally:
            await stream.aclose()

    if mode == "websocket" and not has_websocket:
        with pytest.raises(PayloadError, match="set transport to auto or sse"):
            with_client(server.url, work, mode=mode)
        return
    transport, message = with_client(server.url, work, mode=mode)  # type: ignore[misc]

    assert transport == ("sse" if mode == "sse" or not has_websocket else "websocket")
    assert isinstance(json.loads(message), list)


def test_auto_takes_the_event_stream_at_once_and_remembers_it():
    """Against an endless event stream nothing waits for its end, and only the first opening asks for a WebSocket."""
    with StandIn(enterprise()) as server:

        async def work(client: RestLiveClient) -> None:
            first = await client.open(StreamKind.TRACES)
            second = await client.open(StreamKind.TRACES)
            client.forget_transport()
            third = await client.open(StreamKind.TRACES)
            for stream in (first, second, third):
                await stream.aclose()

        # A client that reads the refused body to its end would fail at its deadline.
        with_client(server.url, work)

        assert len(asked(server, PATHS[StreamKind.TRACES])) == 2 + 1 + 2
        assert len(asked(server, TOKENS[StreamKind.TRACES])) == 3


def test_every_opening_has_a_token_of_its_own_and_no_credentials(server: StandIn):
    """The stream's request carries the token, percent-encoded, and nothing that could get us banned."""

    async def work(client: RestLiveClient) -> None:
        for _ in range(3):
            stream = await client.open(StreamKind.METRICS)
            await stream.aclose()

    with_client(server.url, work)

    opened = [request for request in asked(server, PATHS[StreamKind.METRICS]) if request.status in (101, 200)]
    tokens = {parse_qs(urlsplit(request.target).query)["token"][0] for request in opened}
    assert {request.scheme for request in opened} == {"none"}
    assert len(tokens) == 3
    assert any(set(token) & set("+/=") for token in tokens)
    assert all("+" not in request.target and "=" not in request.target.partition("token=")[2] for request in opened)


def test_what_a_stream_costs_is_counted(server: StandIn):
    """The token and the opening are requests like any other."""
    costs = ApiCosts()

    async def work(client: RestLiveClient) -> None:
        stream = await client.open(StreamKind.TRACES)
        await stream.aclose()

    with_client(server.url, work, costs=costs)

    counted = {endpoint for endpoint, _ in costs.requests}
    assert counted == {"tracing_token", "live_traces"}
    assert sum(costs.requests.values()) == len(server.requests)


def test_the_token_is_seen_nowhere(server: StandIn, caplog: pytest.LogCaptureFixture):
    """Neither in a log line of any library at any level, nor in an exception and what it was raised from."""
    caplog.set_level(logging.DEBUG)
    server.faults.add("status", PATHS[StreamKind.TRACES], status=503, times=2)

    async def work(client: RestLiveClient) -> str:
        with pytest.raises(TargetServerError) as caught:
            await client.open(StreamKind.TRACES)
        stream = await client.open(StreamKind.TRACES)
        await stream.aclose()
        return repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)

    said = with_client(server.url, work)

    targets = [request.target for request in asked(server, PATHS[StreamKind.TRACES])]
    pieces = {query.partition("token=")[2][:20] for query in targets}
    text = caplog.text + str(said)
    assert pieces
    assert not [piece for piece in pieces if piece in text or parse_qs(f"t={piece}")["t"][0] in text]


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
        try:
            server.call(lambda _: server.simulator.front.api.live.end())
            with pytest.raises(TargetUnreachable):
                await until_it_ends(stream, [])
        finally:
            await stream.aclose()

    with_client(server.url, work)


@pytest.mark.parametrize("kind", ["stream-cut", "stream-end"])
def test_a_message_that_is_cut_is_no_message(server: StandIn, kind: str):
    """What came whole is read, the rest is an error."""
    server.faults.add(kind, PATHS[StreamKind.METRICS], messages=1)

    async def work(client: RestLiveClient) -> list[bytes]:
        got: list[bytes] = []
        server.call(lambda _: setattr(server.simulator.front.api.live, "pace", 50.0))
        stream = await client.open(StreamKind.METRICS)
        try:
            with pytest.raises(TargetUnreachable):
                await until_it_ends(stream, got)
        finally:
            await stream.aclose()
        return got

    (only,) = with_client(server.url, work)  # type: ignore[misc]

    assert isinstance(json.loads(only), list)
