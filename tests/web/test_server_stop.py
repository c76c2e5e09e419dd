"""The end of the server: what it waits for, and what it does not."""

from __future__ import annotations

import asyncio
import ssl

from starlette.types import Receive, Scope, Send

from exporter.clock import SystemClock
from exporter.web.serving.server import WebServer
from tests.support.certificates import Identity
from tests.support.listener.app import Run, application, browsing, connected, read_to_end, serving
from tests.support.listener.pages import GET_HEALTHY, big_metrics


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


def test_a_server_that_was_stopped_first_serves_nobody(run: Run):
    """A stop that comes before the first connection could be accepted ends `serve_forever` as well."""

    async def scenario() -> None:
        server = WebServer(application(), listen=[("127.0.0.1", 0)], clock=SystemClock())
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

            second = WebServer(application(), listen=[("127.0.0.1", port)], clock=SystemClock())
            await second.start()

            assert second.port == port
            await second.stop()

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


def test_a_cancelled_server_can_be_stopped(run: Run):
    """Cancelling `serve_forever`, as a task group does, leaves `stop` to close what is open."""

    async def scenario() -> None:
        server = WebServer(application(), listen=[("127.0.0.1", 0)], clock=SystemClock())
        await server.start()
        serve = asyncio.create_task(server.serve_forever())
        async with browsing(server) as client:
            await client.get("/-/healthy")

            serve.cancel()
            await asyncio.wait([serve])
            await server.stop()

            assert serve.cancelled()

    run(scenario())
