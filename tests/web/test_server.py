"""The server: its start, its end, and clients that drag things out."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import ssl
from email.utils import parsedate_to_datetime

import pytest
from starlette.types import Receive, Scope, Send

from exporter.clock import SystemClock
from exporter.web.interfaces import Format
from exporter.web.protocol import Limits
from exporter.web.server import WebServer
from tests.support.certificates import Identity
from tests.support.web import FixedMetrics, Run, application, browsing, connected, read_to_end, serving

NO_HURRY = Limits(request_seconds=600.0)
GET_HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Gate:
    """An application that answers once it is let."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.entered.set()
        await self.opened.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})


def big_metrics(size: int) -> FixedMetrics:
    """A page that no socket buffer takes whole."""
    return FixedMetrics({(Format.TEXT, False): b"x" * size})


def test_a_taken_port_is_an_error_in_words(run: Run):
    """Starting on a port that somebody listens on raises OSError naming address and cause, and leaves nothing open."""

    async def scenario() -> None:
        async with serving(application()) as first:
            second = WebServer(application(), host="127.0.0.1", port=first.port, clock=SystemClock())

            with pytest.raises(
                OSError, match=rf"cannot listen on 127\.0\.0\.1:{first.port}: the port is taken"
            ) as raised:
                await second.start()
            await second.stop()

            assert raised.value.errno == errno.EADDRINUSE

    run(scenario())


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
def test_an_address_of_somebody_else_is_an_error_in_words(run: Run, host):
    """A host that does not resolve, or is not this machine, is named in the error."""

    async def scenario() -> None:
        with pytest.raises(OSError, match=f"cannot listen on {host}:0: .+"):
            await WebServer(application(), host=host, port=0, clock=SystemClock()).start()

    run(scenario())


def test_a_server_that_was_stopped_first_serves_nobody(run: Run):
    """A stop that comes before the first connection could be accepted ends `serve_forever` as well."""

    async def scenario() -> None:
        server = WebServer(application(), host="127.0.0.1", port=0, clock=SystemClock())
        await server.start()

        await server.stop()
        await server.serve_forever()

    run(scenario())


def test_a_port_is_free_again_after_stop(run: Run):
    """What was stopped can be started anew on the same port at once, although clients were connected."""

    async def scenario() -> None:
        async with serving(application()) as first, browsing(first) as client:
            await client.get("/-/healthy")
            port = first.port
            await first.stop()

            second = WebServer(application(), host="127.0.0.1", port=port, clock=SystemClock())
            await second.start()

            assert second.port == port
            await second.stop()

    run(scenario())


def test_signal_handlers_stay_as_they_were(run: Run):
    """Whoever owns the process owns its signals."""

    async def scenario() -> None:
        before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

        async with serving(application()) as server, browsing(server) as client:
            await client.get("/-/healthy")

            assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before

    run(scenario())


def test_answers_are_dated_and_name_no_product(run: Run):
    """A response tells the time, as HTTP asks, and not what software made it."""

    async def scenario() -> None:
        async with serving(application()) as server, browsing(server) as client:
            headers = (await client.get("/-/healthy")).headers

            assert parsedate_to_datetime(headers["date"]).tzinfo is not None
            assert "server" not in headers

    run(scenario())


def test_a_connection_serves_many_requests(run: Run):
    """Requests written at once on one connection are answered in order on it."""

    async def scenario() -> None:
        async with serving(application()) as server, connected(server) as (reader, writer):
            writer.write(GET_HEALTHY * 3 + GET_HEALTHY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

            answer = await read_to_end(reader)

            assert answer.count(b"HTTP/1.1 200 OK") == 4

    run(scenario())


def test_stop_lets_an_answer_finish(run: Run):
    """A request that is being worked on when the server stops still gets its answer."""
    gate = Gate()

    async def scenario() -> None:
        async with serving(gate) as server, connected(server) as (reader, writer):
            writer.write(GET_HEALTHY)
            await gate.entered.wait()

            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            gate.opened.set()

            assert (await read_to_end(reader)).endswith(b"done")
            await stopping

    run(scenario())


def test_stop_does_not_wait_for_an_answer_that_never_comes(run: Run):
    """An application that hangs is given up, and its connection closed."""

    async def scenario() -> None:
        gate = Gate()
        async with serving(gate) as server, connected(server) as (reader, writer):
            writer.write(GET_HEALTHY)
            await gate.entered.wait()

            await server.stop()

            assert b"done" not in await read_to_end(reader)

    run(scenario())


def test_stop_does_not_wait_for_a_client_that_never_reads(run: Run):
    """A page that a client does not take is cut off."""

    async def scenario() -> None:
        async with (
            serving(application(metrics=big_metrics(30_000_000))) as server,
            connected(server) as (reader, writer),
        ):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.read(10)
            writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's socket transports have it

            await server.stop()

            writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len(await read_to_end(reader)) < 30_000_000

    run(scenario())


def test_stop_ends_an_unfinished_tls_handshake(run: Run, server_identity: Identity):
    """A client that connects to the TLS port and says nothing is closed at the end like any other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_identity.cert, server_identity.key)

    async def scenario() -> None:
        async with (
            serving(application(), ssl_context=context) as server,
            connected(server) as (reader, _),
            browsing(server, verify=_anything()) as client,
        ):
            # The silent connection was accepted before this one, which is answered.
            await client.get("/-/healthy")

            await server.stop()

            assert await read_to_end(reader) == b""

    run(scenario())


def _anything() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"GET /-/healthy HT",
        b"GET /-/healthy HTTP/1.1\r\nHost: loc",
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc",
        GET_HEALTHY + b"\r\n",
        GET_HEALTHY + b"GET /-/hea",
    ],
    ids=[
        "nothing",
        "blank line",
        "half a line",
        "half a header",
        "half a body",
        "answered, blank line",
        "answered, half a line",
    ],
)
def test_a_request_that_does_not_end_is_cut_off(run: Run, sent):
    """Whatever part of a request came, the connection is closed once the time for a request is over."""

    async def scenario() -> None:
        async with (
            serving(application(), limits=Limits(request_seconds=0.3, keep_alive_seconds=1)) as server,
            connected(server) as (reader, writer),
        ):
            writer.write(sent)

            answers = await read_to_end(reader)

            assert answers.count(b"HTTP/1.1 200 OK") == sent.count(GET_HEALTHY)

    run(scenario())


def test_a_request_that_trickles_is_cut_off(run: Run):
    """Sending a byte now and then does not extend the time for a request."""

    async def scenario() -> None:
        async with (
            serving(application(), limits=Limits(request_seconds=0.5)) as server,
            connected(server) as (reader, writer),
        ):
            closed = asyncio.create_task(read_to_end(reader))

            async def trickle() -> None:
                while not closed.done():
                    writer.write(b"a")
                    await asyncio.sleep(0.05)

            writer.write(b"GET / HTTP/1.1\r\nX: ")
            trickling = asyncio.create_task(trickle())

            assert await closed == b""
            await trickling

    run(scenario())


def test_an_idle_connection_is_closed_after_a_while(run: Run):
    """A connection whose request was answered lives on for the keep-alive time and no longer."""

    async def scenario() -> None:
        async with (
            serving(application(), limits=Limits(keep_alive_seconds=1, request_seconds=0.1)) as server,
            connected(server) as (reader, writer),
        ):
            writer.write(GET_HEALTHY)
            # The idle time itself: longer than a request may take, shorter than the keep-alive time.
            await asyncio.sleep(0.5)
            writer.write(GET_HEALTHY)

            assert (await read_to_end(reader)).count(b"HTTP/1.1 200 OK") == 2

    run(scenario())


def test_a_client_that_does_not_take_its_answer_is_cut_off(run: Run):
    """A page that stays unread past the limit ends the connection and frees what was kept for it."""

    async def scenario() -> None:
        async with (
            serving(
                application(metrics=big_metrics(30_000_000)),
                limits=Limits(connections=1, response_seconds=0.3),
            ) as server,
            connected(server) as (reader, writer),
        ):
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.read(10)
            writer.transport.pause_reading()  # type: ignore[attr-defined]

            # The only slot is free again once the first client was cut off.
            async with browsing(server) as client:
                assert (await client.get("/-/healthy")).status_code == 200

            writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len(await read_to_end(reader)) < 30_000_000

    run(scenario())


@pytest.mark.parametrize(
    "head",
    [
        b"GET /metrics?" + b"a" * 40_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: abcdefgh\r\n" * 4_000 + b"\r\n",
        b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 1_000_000,
    ],
    ids=["line", "header", "headers", "endless header"],
)
def test_a_head_that_is_too_large_is_refused(run: Run, head):
    """A request line or headers beyond the limit get a 400 or a closed door, and nobody is asked for a page."""
    metrics = FixedMetrics()

    async def scenario() -> None:
        async with (
            serving(application(metrics=metrics), limits=NO_HURRY) as server,
            connected(server) as (reader, writer),
        ):
            writer.write(head)

            answer = await read_to_end(reader)

            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")

    run(scenario())

    assert metrics.asked == []


def test_a_body_is_not_read_without_end(run: Run):
    """A body beyond the limit ends the connection, even where the page was answered before."""

    async def scenario() -> None:
        async with serving(application(), limits=NO_HURRY) as server, connected(server) as (reader, writer):
            writer.write(b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n")
            closed = asyncio.create_task(read_to_end(reader))

            async def pour() -> None:
                while not closed.done():
                    writer.write(b"x" * 50_000)
                    await asyncio.sleep(0.01)

            pouring = asyncio.create_task(pour())

            assert b"HTTP/1.1 200" not in await closed
            await pouring

    run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"GET \xff HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_and_harms_nobody(run: Run, sent):
    """Garbage is answered 400 or closed, and the next client is served."""

    async def scenario() -> None:
        async with serving(application(), limits=Limits(keep_alive_seconds=1)) as server:
            async with connected(server) as (reader, writer):
                writer.write(sent)

                answer = await read_to_end(reader)

                assert answer == b"" or answer.startswith(b"HTTP/1.1 40")
            async with browsing(server) as client:
                assert (await client.get("/-/healthy")).status_code == 200

    run(scenario())


def test_a_client_past_the_limit_takes_the_place_of_the_idlest(run: Run):
    """With every slot taken a further client is served at once, and the connection that was idle longest is closed."""

    async def scenario() -> None:
        async with (
            serving(application(), limits=Limits(connections=4, request_seconds=60, keep_alive_seconds=60)) as server,
            connected(server) as (oldest_reader, oldest),
            connected(server) as (kept_reader, kept),
            browsing(server) as client,
        ):
            for reader, writer in ((oldest_reader, oldest), (kept_reader, kept)):
                writer.write(GET_HEALTHY)
                await reader.readuntil(b"ok\n")

            # Three of one address are its share of four.
            assert (await client.get("/-/healthy")).status_code == 200
            async with connected(server) as (reader, writer):
                writer.write(GET_HEALTHY)
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"

            assert await read_to_end(oldest_reader) == b""
            kept.write(GET_HEALTHY)
            assert await kept_reader.readline() == b"HTTP/1.1 200 OK\r\n"

    run(scenario())


def test_a_client_that_resets_is_forgotten(run: Run):
    """Connections that are reset in the middle of a request leave their slots."""

    async def scenario() -> None:
        async with serving(application(), limits=Limits(connections=1)) as server, browsing(server) as client:
            for _ in range(20):
                reset = socket.create_connection(("127.0.0.1", server.port))
                reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                reset.sendall(b"GET /metrics HTTP/1.1\r\n")
                reset.close()

            assert (await client.get("/-/healthy")).status_code == 200

    run(scenario())


def test_a_bug_in_a_page_is_a_500_and_no_more(run: Run):
    """An exception in one request answers that request and leaves the server standing."""

    async def scenario() -> None:
        async with serving(application(metrics=FixedMetrics({}))) as server, browsing(server) as client:
            broken = await client.get("/metrics")
            whole = await client.get("/-/healthy")

            assert (broken.status_code, whole.status_code) == (500, 200)
            assert "Traceback" not in broken.text

    run(scenario())


def test_ipv6_loopback_is_served(run: Run):
    """An IPv6 address is listened on like any other."""
    if not socket.has_ipv6 or not _has_ipv6_loopback():
        pytest.skip("this machine has no IPv6 loopback address")

    async def scenario() -> None:
        server = WebServer(application(), host="::1", port=0, clock=SystemClock())
        await server.start()
        serve = asyncio.create_task(server.serve_forever())
        reader, writer = await asyncio.open_connection("::1", server.port)
        writer.write(GET_HEALTHY)

        assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"

        writer.transport.abort()
        await server.stop()
        await serve

    run(scenario())


def _has_ipv6_loopback() -> bool:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            return False
    return True


def test_a_cancelled_server_can_be_stopped(run: Run):
    """Cancelling `serve_forever`, as a task group does, leaves `stop` to close what is open."""

    async def scenario() -> None:
        server = WebServer(application(), host="127.0.0.1", port=0, clock=SystemClock())
        await server.start()
        serve = asyncio.create_task(server.serve_forever())
        async with browsing(server) as client:
            await client.get("/-/healthy")

            serve.cancel()
            await asyncio.wait([serve])
            await server.stop()

            assert serve.cancelled()

    run(scenario())


def test_every_address_means_both_families(run: Run):
    """``[::]`` answers over IPv4 as well, at one port."""
    if not socket.has_ipv6 or not _has_ipv6_loopback():
        pytest.skip("this machine has no IPv6 loopback address")

    async def scenario() -> None:
        server = WebServer(application(), host="::", port=0, clock=SystemClock())
        await server.start()
        serve = asyncio.create_task(server.serve_forever())
        for host in ("127.0.0.1", "::1"):
            reader, writer = await asyncio.open_connection(host, server.port)
            writer.write(GET_HEALTHY)

            assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"

            writer.transport.abort()
        await server.stop()
        await serve

    run(scenario())
