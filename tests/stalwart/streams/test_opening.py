"""Opening a live stream: which transport it takes, what it sends, and what it makes of other answers."""

from __future__ import annotations

import logging
from urllib.parse import parse_qs, urlsplit

import pytest

from exporter.errors import (
    PayloadError,
    TargetServerError,
)
from exporter.model.live import LiveEvents, LiveMessage, StreamKind
from exporter.model.telemetry import ServerTotals
from exporter.simulator import StandIn
from exporter.stalwart.rest.live.client import RestLiveClient
from exporter.stalwart.streams.opening import Mode
from exporter.state.costs import ApiCosts
from tests.support.live_streams import first_message
from tests.support.rigs.rest_streams import PATHS, TOKENS, with_client
from tests.support.standin import asked, enterprise


@pytest.mark.parametrize("mode", ["auto", "websocket", "sse"])
@pytest.mark.parametrize("kind", list(StreamKind))
def test_each_mode_reads_what_the_server_speaks(server: StandIn, mode: Mode, kind: StreamKind):
    """Both streams come over the transport that is forced, or over the one that the server has."""
    has_websocket = server.simulator.world.profile.live_websocket

    async def work(client: RestLiveClient) -> tuple[str, LiveMessage]:
        stream = await client.open(kind)
        server.call(lambda world: (world.submit(["a@ok.test"]), world.tick()))
        return stream.transport, await first_message(stream)

    if mode == "websocket" and not has_websocket:
        with pytest.raises(PayloadError, match="set transport to auto or sse"):
            with_client(server.url, work, mode=mode)
        return
    transport, message = with_client(server.url, work, mode=mode)  # type: ignore[misc]

    assert transport == ("sse" if mode == "sse" or not has_websocket else "websocket")
    assert isinstance(message, ServerTotals if kind is StreamKind.METRICS else LiveEvents)


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
