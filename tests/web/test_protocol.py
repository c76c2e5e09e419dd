"""Clients that drag things out, send too much, or send something else."""

from __future__ import annotations

import asyncio
import socket

import pytest

from exporter.web.serving.protocol import HttpLimits
from tests.support.listener.app import FixedMetrics, Run, application, browsing, connected, read_to_end, serving
from tests.support.listener.pages import GET_HEALTHY, big_metrics

NO_HURRY = HttpLimits(request_seconds=600.0)


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
            serving(application(), limits=HttpLimits(request_seconds=0.3, keep_alive_seconds=1)) as server,
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
            serving(application(), limits=HttpLimits(request_seconds=0.5)) as server,
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
            serving(application(), limits=HttpLimits(keep_alive_seconds=1, request_seconds=0.1)) as server,
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
                limits=HttpLimits(connections=1, response_seconds=0.3),
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
        async with serving(application(), limits=HttpLimits(keep_alive_seconds=1)) as server:
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
            serving(
                application(), limits=HttpLimits(connections=4, request_seconds=60, keep_alive_seconds=60)
            ) as server,
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
        async with serving(application(), limits=HttpLimits(connections=1)) as server, browsing(server) as client:
            for _ in range(20):
                reset = socket.create_connection(("127.0.0.1", server.port))
                reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                reset.sendall(b"GET /metrics HTTP/1.1\r\n")
                reset.close()

            assert (await client.get("/-/healthy")).status_code == 200

    run(scenario())
