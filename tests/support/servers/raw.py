"""A server of plain asyncio streams that can cut, lie and drip, and a transport that talks to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporter.clock import SystemClock
from exporter.errors import TargetError
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.credentials import Basic, Credentials
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport

T = TypeVar("T")

NAME, SECRET = "watcher", "hunter2-S3cr3t"
LOGIN = Basic(NAME, SECRET)
NATIVE_NAME, NATIVE_SECRET = "prometheus", "page-S3cr3t"
NATIVE_LOGIN = Basic(NATIVE_NAME, NATIVE_SECRET)
JSON = "application/json; charset=utf-8"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Asked:
    """One request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def login(self) -> tuple[str, str] | None:
        """What stands in the header, if it is Basic."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme != "Basic":
            return None
        name, _, secret = base64.b64decode(value).decode().partition(":")
        return name, secret


Handler = Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]
"""Answers one request by writing bytes; closing the writer ends the connection."""


@dataclass
class RawServer:
    """
    A server while it runs.

    Attributes:
        asked: Every request so far.
        connections: How many connections were made so far.
        most_at_once: The most requests that were waiting for their answers at one time.
    """

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0
    most_at_once: int = 0


@asynccontextmanager
async def raw_server(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Listens on a free port of the loopback address."""
    server = RawServer()
    tasks: set[asyncio.Task[None]] = set()
    at_once = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal at_once
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        server.connections += 1
        connection = server.connections
        try:
            while not writer.is_closing() and (asked := await _read_request(reader, connection)) is not None:
                server.asked.append(asked)
                at_once += 1
                server.most_at_once = max(server.most_at_once, at_once)
                try:
                    await handler(asked, writer)
                    await writer.drain()
                finally:
                    at_once -= 1
        except (ConnectionError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()  # The end of the server, and nobody's above: asyncio would only log it.
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
                await writer.wait_closed()
            tasks.discard(task)

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    port = listening.sockets[0].getsockname()[1]
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    try:
        yield server
    finally:
        listening.close()
        running = list(tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return None
    first, *lines = head.split("\r\n")
    method, _, rest = first.partition(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, rest.rpartition(" ")[0], headers, body, connection)


def reply(status: int, body: object, *, content_type: str = JSON, headers: str = "") -> bytes:
    """A whole answer; *body* is JSON unless it is bytes. *headers* are further lines, each with its end."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"HTTP/1.1 {status} -\r\nContent-Type: {content_type}\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


def problem(status: int, title: str, detail: str, **more: object) -> bytes:
    """A protocol error as Stalwart writes it."""
    document = {"type": "about:blank", "status": status, "title": title, "detail": detail, **more}
    return reply(status, document, content_type=PROBLEM)


UNAUTHORIZED = problem(401, "Unauthorized", "You have to authenticate first.")
NOT_FOUND = problem(404, "Not Found", "The requested resource does not exist on this server.")
GOOD = reply(200, {"data": True})
FORBIDDEN = problem(403, "Forbidden", "You do not have enough permissions to access this resource.")


def always(answer: bytes) -> Handler:
    """Answers every request alike."""

    async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return handle


def needing_login(good: bytes) -> Handler:
    """Refuses all but the login of these tests."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(good if asked.login == (NAME, SECRET) else UNAUTHORIZED)

    return handle


class Costs:
    """Remembers what it is told of requests."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, int]] = []

    def request_finished(self, *, endpoint: str, status: str, seconds: float, response_bytes: int) -> None:
        assert seconds >= 0
        self.requests.append((endpoint, status, response_bytes))


def transport_to(url: str, **settings: Any) -> Transport:
    """A transport with the login of these tests, in no way slowed down."""
    clock = settings.pop("clock", None) or SystemClock()
    login: Credentials | None = settings.pop("credentials", LOGIN)
    throttle = settings.pop("throttle", None) or Throttle(clock=clock, requests=100_000)
    return Transport(base_url=url, credentials=login, clock=clock, throttle=throttle, **settings)


@asynccontextmanager
async def talking(handler: Handler, **settings: Any) -> AsyncIterator[tuple[Transport, RawServer]]:
    """A server and a transport to it."""
    async with raw_server(handler) as server:
        transport = transport_to(server.url, **settings)
        try:
            yield transport, server
        finally:
            await transport.aclose()


def error_of(handler: Handler, *, endpoint: Endpoint = Endpoint.QUEUE_STATUS, **settings: Any) -> TargetError:
    """What one request to such a server raises."""

    async def ask() -> TargetError:
        async with talking(handler, **settings) as (transport, _):
            with pytest.raises(TargetError) as caught:
                await transport.request(endpoint)
            return caught.value

    return run(ask())


async def close_at_once(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Ends the connection before an answer."""
    writer.close()


async def cut_counted(_: Asked, writer: asyncio.StreamWriter) -> None:
    """Ends the connection in the middle of a body whose length is known."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"data": [')
    writer.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs to the end, with asyncio's own checks on."""
    return asyncio.run(asyncio.wait_for(work, 60), debug=True)
