"""The server: its start, its end, and clients that drag things out."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from email.utils import parsedate_to_datetime

import pytest

from exporter.clock import SystemClock
from exporter.web.serving.server import WebServer
from tests.support.listener.app import FixedMetrics, Run, application, browsing, connected, read_to_end, serving
from tests.support.listener.pages import GET_HEALTHY


def test_a_taken_port_is_an_error_in_words(run: Run):
    """Starting on a port that somebody listens on raises OSError naming address and cause, and leaves nothing open."""

    async def scenario() -> None:
        async with serving(application()) as first:
            second = WebServer(application(), listen=[("127.0.0.1", first.port)], clock=SystemClock())

            with pytest.raises(
                OSError, match=rf"cannot listen on 127\.0\.0\.1:{first.port}: the port is in use"
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
            await WebServer(application(), listen=[(host, 0)], clock=SystemClock()).start()

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
        server = WebServer(application(), listen=[("::1", 0)], clock=SystemClock())
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


def test_every_address_means_both_families(run: Run):
    """``[::]`` answers over IPv4 as well, at one port."""
    if not socket.has_ipv6 or not _has_ipv6_loopback():
        pytest.skip("this machine has no IPv6 loopback address")

    async def scenario() -> None:
        server = WebServer(application(), listen=[("::", 0)], clock=SystemClock())
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
