"""Broken, silent and endless connections."""

from __future__ import annotations

import asyncio

import pytest

from exporter.errors import (
    PayloadError,
    PayloadTooLarge,
    TargetTimeout,
    TargetUnreachable,
)
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import Login
from tests.support.servers.raw import (
    GOOD,
    Asked,
    Costs,
    Handler,
    always,
    close_at_once,
    cut_counted,
    error_of,
    raw_server,
    reply,
    run,
    talking,
    transport_to,
)


async def reset_at_once(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def cut_chunked(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"data": [1, 2,\r\n')
    writer.close()


async def cut_head(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    writer.close()


async def talk_something_else(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x15\x03\x03\x00\x02\x02\x46\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (close_at_once, "server.blocked-ip"),
        (reset_at_once, "server.auto-ban"),
        (close_at_once, "one side speaks TLS"),
        (cut_head, "server.blocked-ip"),
        (cut_counted, "truncated"),
        (cut_chunked, "truncated"),
        (talk_something_else, "did not answer in HTTP"),
    ],
)
def test_broken_connection_is_unreachable_and_names_what_it_may_be(handler: Handler, words: str) -> None:
    """A ban and a mix-up of TLS and plain HTTP look like this, so the text names both."""
    error = error_of(handler)

    assert type(error) is TargetUnreachable
    assert words in str(error)
    assert "127.0.0.1" not in str(error)


def test_port_that_nobody_listens_on_is_unreachable_without_its_address() -> None:
    """The system's words are quoted without the address that they hold."""

    async def ask() -> str:
        async with raw_server(always(GOOD)) as server:
            url = server.url
        transport = transport_to(url)
        with pytest.raises(TargetUnreachable) as caught:
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()
        return str(caught.value)

    text = run(ask())

    assert "refused" in text
    assert "127.0.0.1" not in text


def test_name_that_does_not_resolve_is_unreachable() -> None:
    """A wrong host name is named as such."""

    async def ask() -> None:
        transport = transport_to("http://no-such-host.invalid")
        with pytest.raises(TargetUnreachable, match=r"does not resolve|no connection"):
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()

    run(ask())


def test_silent_server_meets_the_read_deadline() -> None:
    """A server that never answers costs the read time-out, not forever."""

    async def say_nothing(_: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    costs = Costs()
    error = error_of(say_nothing, read_timeout_seconds=0.1, observer=costs)

    assert type(error) is TargetTimeout
    assert costs.requests == [("queue_status", "timeout", 0)]


def test_dripping_server_meets_the_deadline_of_the_whole_call() -> None:
    """A byte now and then keeps no request alive."""

    async def drip(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    error = error_of(drip, read_timeout_seconds=30.0, total_timeout_seconds=0.3)

    assert type(error) is TargetTimeout


def test_announced_body_past_the_limit_is_not_read() -> None:
    """A length that is too large ends the request before its body."""
    costs = Costs()

    async def announce(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        await asyncio.Event().wait()

    error = error_of(announce, max_body_bytes=1000, observer=costs)

    assert type(error) is PayloadTooLarge
    assert costs.requests == [("queue_status", "too_large", 0)]


def test_endless_body_is_cut_at_the_limit() -> None:
    """A body without a length is read up to the limit and no further."""
    costs = Costs()

    async def pour(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    error = error_of(pour, max_body_bytes=300_000, observer=costs)

    assert type(error) is PayloadTooLarge
    ((_, status, received),) = costs.requests
    assert status == "too_large"
    assert 300_000 < received < 3_000_000


def test_connection_works_again_after_a_body_that_was_too_large() -> None:
    """What is left of an unread body is not taken for the next answer."""

    async def ask() -> tuple[bytes, int]:
        async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(200, {"data": "x" * 5000}) if asked.connection == 1 else GOOD)

        async with talking(handle, max_body_bytes=1000) as (transport, server):
            with pytest.raises(PayloadTooLarge):
                await transport.request(Endpoint.QUEUE_STATUS)
            return await transport.request(Endpoint.QUEUE_STATUS), server.connections

    assert run(ask()) == (b'{"data": true}', 2)


def test_text_that_does_not_tell_its_end_is_refused() -> None:
    """A page of counters that was cut between two lines would look whole, so it must say how long it is."""

    async def ask() -> None:
        async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsmtp_ehlo 12")
            writer.close()

        async with talking(handle) as (transport, _):
            with pytest.raises(PayloadError, match="response without a length"):
                await transport.request(Endpoint.NATIVE_METRICS, credentials=Login.NONE)

    run(ask())


def test_connection_is_kept_between_requests() -> None:
    """Two requests take one connection."""

    async def ask() -> int:
        async with talking(always(GOOD)) as (transport, server):
            await transport.request(Endpoint.QUEUE_STATUS)
            await transport.request(Endpoint.QUEUE_STATUS)
            return server.connections

    assert run(ask()) == 1


def test_server_is_asked_one_thing_at_a_time() -> None:
    """Requests that are made together go one after the other."""

    async def ask() -> tuple[int, int]:
        async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0)
            writer.write(GOOD)

        async with talking(handle) as (transport, server):
            await asyncio.gather(*(transport.request(Endpoint.QUEUE_STATUS) for _ in range(8)))
            return len(server.asked), server.most_at_once

    assert run(ask()) == (8, 1)
