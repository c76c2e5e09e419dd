"""Opening a stream of a server of v0.16: the token, the transport, and what is asked of whom."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from exporter.app.servers.connection import connect
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
from exporter.model.live import Heartbeat, LiveMessage, StreamKind
from exporter.model.telemetry import ServerTotals
from exporter.simulator import Profile, StandIn
from exporter.stalwart.live import LiveClient
from exporter.state.costs import ApiCosts
from tests.e2e.streams.test_doctor import listened
from tests.support.live_streams import first_message
from tests.support.rigs.jmap_subscribers import server_settings
from tests.support.standin import asked, enterprise

JMAP = "0.16.18"
TOKENS = {StreamKind.METRICS: "/api/token/metrics", StreamKind.TRACES: "/api/token/tracing"}
PATHS = {StreamKind.METRICS: "/api/live/metrics", StreamKind.TRACES: "/api/live/tracing"}


def with_client(
    server: StandIn,
    work: Callable[[LiveClient], Awaitable[object]],
    *,
    transport: str = "auto",
    costs: ApiCosts | None = None,
    detect: bool = True,
) -> object:
    """Runs *work* with the live client of a server that has been found."""

    async def inside() -> object:
        settings = server_settings(server.url, streams={"transport": transport})
        connection = connect(settings, clock=SystemClock(), observer=costs)
        assert connection.live is not None
        try:
            if detect:
                await connection.detector.detect()
            return await work(connection.live)
        finally:
            await connection.aclose()

    return asyncio.run(inside())


async def open_and_close(client: LiveClient, kind: StreamKind, times: int = 1) -> None:
    """Opens streams and closes them."""
    for _ in range(times):
        stream = await client.open(kind)
        await stream.aclose()


@pytest.mark.parametrize("has_websocket", [False, True], ids=["sse-server", "websocket-server"])
@pytest.mark.parametrize("transport", ["auto", "sse"])
@pytest.mark.parametrize("kind", list(StreamKind))
def test_events_are_asked_for_without_a_handshake(kind: StreamKind, transport: str, has_websocket: bool):
    """The document knows Server-Sent Events alone, so that nobody asks for anything else, reload or not."""
    with StandIn(enterprise(JMAP, live_websocket=has_websocket)) as server:

        async def work(client: LiveClient) -> LiveMessage:
            await open_and_close(client, kind)
            client.forget_transport()
            stream = await client.open(kind)
            assert stream.transport == "sse"
            return await first_message(stream)

        message = with_client(server, work, transport=transport)

        assert [request.status for request in asked(server, PATHS[kind])] == [200, 200]
        assert message == Heartbeat(30) if kind is StreamKind.TRACES else isinstance(message, ServerTotals)


def test_a_websocket_that_is_forced_fails_in_words():
    """The handshake is answered with the stream itself; the error names the setting."""
    with StandIn(enterprise(JMAP)) as server:

        async def work(client: LiveClient) -> None:
            with pytest.raises(PayloadError, match="set transport to auto or sse"):
                await client.open(StreamKind.TRACES)

        with_client(server, work, transport="websocket")


def test_every_opening_has_a_token_of_its_own_and_no_credentials():
    """Credentials go with the request for a token alone; the token is percent-encoded."""
    with StandIn(enterprise(JMAP)) as server:
        with_client(server, lambda client: open_and_close(client, StreamKind.METRICS, 3))

        opened = asked(server, PATHS[StreamKind.METRICS])
        queries = [parse_qs(urlsplit(request.target).query) for request in opened]
        assert {request.scheme for request in opened} == {"none"}
        assert len({query["token"][0] for query in queries}) == 3
        assert {query["interval"][0] for query in queries} == {"5"}
        assert all("+" not in r.target and "=" not in r.target.partition("token=")[2] for r in opened)
        assert {request.scheme for request in asked(server, TOKENS[StreamKind.METRICS])} == {"basic"}


def test_any_token_arrives_as_it_was_given():
    """What has a meaning in an address is encoded, and white space around the token is none of it."""
    token = "a+b/c=d%20&interval=1?#;,'\"<>"
    with StandIn(enterprise(JMAP)) as server:
        server.faults.add("body", TOKENS[StreamKind.TRACES], body=f"{token}\n")

        async def work(client: LiveClient) -> None:
            with pytest.raises(TargetServerError, match="rejected the token"):
                await client.open(StreamKind.TRACES)

        with_client(server, work)

        (opened,) = asked(server, PATHS[StreamKind.TRACES])
        assert opened.target == f"{PATHS[StreamKind.TRACES]}?token={quote(token, safe='')}"


@pytest.mark.parametrize("body", ["", " ", "two words", "x" * 5000, "tokén", '{"data": "a b"}', "a\x00b"])
def test_what_is_no_token_is_said_and_not_quoted(body: str):
    """An answer of another shape is not sent back to the server, and stands in no error."""
    with StandIn(enterprise(JMAP)) as server:
        server.faults.add("body", TOKENS[StreamKind.TRACES], body=body)

        async def work(client: LiveClient) -> None:
            with pytest.raises(PayloadError) as caught:
                await client.open(StreamKind.TRACES)
            assert str(caught.value) == "jmap_tracing_token: not a token"

        with_client(server, work)

        assert asked(server, PATHS[StreamKind.TRACES]) == []


def test_the_token_is_seen_nowhere(caplog: pytest.LogCaptureFixture):
    """Neither in a log line of any library at any level, nor in an exception and what it was raised from."""
    caplog.set_level(logging.DEBUG)
    with StandIn(enterprise(JMAP)) as server:
        server.faults.add("status", PATHS[StreamKind.TRACES], status=503, times=1)
        server.faults.add("close", PATHS[StreamKind.METRICS], times=1)

        async def work(client: LiveClient) -> str:
            said = ""
            for kind, error in ((StreamKind.TRACES, TargetServerError), (StreamKind.METRICS, TargetUnreachable)):
                with pytest.raises(error) as caught:
                    await client.open(kind)
                said += repr(caught.value) + repr(caught.value.__cause__) + repr(caught.value.__context__)
                await open_and_close(client, kind)
            return said

        text = caplog.text + str(with_client(server, work))

        targets = [request.target for path in PATHS.values() for request in asked(server, path)]
        tokens = [target.partition("token=")[2] for target in targets]
        assert len(tokens) == 4
        assert not [token for token in tokens if token[:20] in text or parse_qs(f"t={token}")["t"][0][:20] in text]


def test_what_a_stream_costs_is_counted():
    """The token, the look at the schema and the opening are requests like any other."""
    costs = ApiCosts()
    with StandIn(enterprise(JMAP)) as server:

        async def work(client: LiveClient) -> None:
            for kind in StreamKind:
                await open_and_close(client, kind)

        with_client(server, work, costs=costs)

        counted = {endpoint for endpoint, _ in costs.requests}
        assert {"jmap_metrics_token", "jmap_live_metrics", "jmap_tracing_token", "jmap_live_traces"} <= counted
        assert sum(costs.requests.values()) == len(server.requests)


@pytest.mark.parametrize("edition", ["community", "unlicensed"])
def test_a_server_without_a_licence_is_asked_for_nothing(edition: str):
    """The edition is known; a refusal would move the server's own counters."""
    with StandIn(Profile(version=JMAP, edition=edition)) as server:  # type: ignore[arg-type]

        async def work(client: LiveClient) -> None:
            before = len(server.requests)
            for kind in StreamKind:
                with pytest.raises(TargetUnsupported) as caught:
                    await client.open(kind)
                assert caught.value.status == "not_licensed"
            assert len(server.requests) == before

        with_client(server, work)


def test_a_licence_that_ends_later_is_noticed():
    """The paths are gone then, which says the same."""
    with StandIn(enterprise(JMAP)) as server:

        async def work(client: LiveClient) -> None:
            await asyncio.to_thread(server.upgrade, edition="unlicensed")
            with pytest.raises(TargetUnsupported) as caught:
                await client.open(StreamKind.TRACES)
            assert caught.value.status == "not_licensed"

        with_client(server, work)


@pytest.mark.parametrize(("kind", "permission"), [("metrics", "liveMetrics"), ("traces", "liveTracing")])
def test_a_permission_that_our_key_lacks_is_named_and_not_provoked(kind: str, permission: str):
    """The list of permissions tells before anything is refused."""
    with StandIn(enterprise(JMAP)) as server:
        server.call(lambda world: world.directory.grant("watcher", frozenset({"authenticate"})))

        async def work(client: LiveClient) -> None:
            with pytest.raises(TargetForbidden, match=permission):
                await client.open(StreamKind(kind))

        with_client(server, work)

        assert not [request for request in server.requests if request.path == TOKENS[StreamKind(kind)]]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 401}, TargetServerError),
        ({"kind": "status", "status": 403}, TargetForbidden),
        ({"kind": "status", "status": 404}, TargetUnsupported),
        ({"kind": "status", "status": 503}, TargetServerError),
        ({"kind": "html"}, TargetServerError),
        ({"kind": "html", "status": 200}, PayloadError),
        ({"kind": "redirect"}, PayloadError),
        ({"kind": "close"}, TargetUnreachable),
        ({"kind": "garbage"}, TargetError),
    ],
)
def test_another_answer_than_a_stream_is_an_error_that_says_what_it_is(
    fault: dict[str, object], error: type[TargetError]
):
    """Whatever comes instead of a stream ends as one of our errors, and refused tokens are not refused credentials."""
    with StandIn(enterprise(JMAP)) as server:
        server.faults.add(path=PATHS[StreamKind.TRACES], **fault)  # type: ignore[arg-type]

        async def work(client: LiveClient) -> None:
            with pytest.raises(error) as caught:
                await client.open(StreamKind.TRACES)
            assert not isinstance(caught.value, TargetRefused)

        with_client(server, work)


def test_doctor_hears_that_no_event_comes(tmp_path: Path):
    """Counters that move without an event mean that nobody in the server asks for it."""
    profile = Profile(version=JMAP, edition="enterprise", log_files=False)

    found = listened(tmp_path, profile, mail=True)

    assert (found["api"], found["capabilities"]["live_traces"]) == ("jmap", "available")
    assert "no tracer on the server requests them" in found["streams"]


@pytest.mark.parametrize("version", [JMAP, "0.16.5"])
def test_doctor_is_content_where_the_events_come(tmp_path: Path, version: str):
    """Also where the counters cannot be believed, which is another sentence of its."""
    found = listened(tmp_path, Profile(version=version, edition="enterprise"), mail=True)

    assert found["streams"] == ""
    assert found["trouble"] == ""
    assert ("v0.16.12" in found["note"]) is (version == "0.16.5")
