"""What the tests of the web layer share: fixed facts and a served application."""

from __future__ import annotations

import asyncio
import base64
import gzip
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import bcrypt
import httpx
from starlette.types import ASGIApp

from exporter.clock import Clock, SystemClock
from exporter.errors import SettingsError
from exporter.store.reader import HistoryReader
from exporter.web.app import create_app
from exporter.web.interfaces import (
    CapabilityRow,
    CollectorState,
    CollectorStatus,
    Format,
    ServerStatus,
    StatusPage,
    StoreStatus,
    StreamStatus,
)
from exporter.web.serving.protocol import HttpLimits
from exporter.web.serving.server import WebServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DEADLINE_SECONDS = 20.0

HASH = bcrypt.hashpw(b"s3cret", b"$2b$04$KI8iTwmrL.TZAlDdO8nXae")
"""Of a password; the same at every run, since tests are named by it."""


@dataclass
class FixedMetrics:
    """Bodies by format and compression; remembers what was asked for."""

    bodies: dict[tuple[Format, bool], bytes] = field(
        default_factory=lambda: {
            (Format.TEXT, False): b"up 1\n",
            (Format.OPENMETRICS, False): b"up 1\n# EOF\n",
            (Format.TEXT, True): gzip.compress(b"up 1\n"),
            (Format.OPENMETRICS, True): gzip.compress(b"up 1\n# EOF\n"),
        }
    )
    asked: list[tuple[Format, bool]] = field(default_factory=list)

    def exposition(self, fmt: Format, gzip: bool) -> tuple[bytes, str]:
        self.asked.append((fmt, gzip))
        return self.bodies[fmt, gzip], fmt.value


@dataclass
class FixedHealth:
    """Ready or not, as told."""

    answer: tuple[bool, str] = (True, "every server was asked")

    def ready(self) -> tuple[bool, str]:
        return self.answer


@dataclass
class FixedStatus:
    """One status page."""

    page: StatusPage

    def status(self) -> StatusPage:
        return self.page


@dataclass
class CountingReloader:
    """Reloads nothing; fails if it has problems."""

    problems: tuple[str, ...] = ()
    calls: int = 0

    async def reload(self) -> None:
        self.calls += 1
        if self.problems:
            raise SettingsError(self.problems)


def collector(name: str = "queue", **changes: object) -> CollectorStatus:
    """A collector that is well, but for *changes*."""
    facts: dict[str, object] = {
        "name": name,
        "state": CollectorState.OK,
        "last_success_at": NOW - timedelta(seconds=12),
        "interval_seconds": 30.0,
    }
    return CollectorStatus(**{**facts, **changes})  # type: ignore[arg-type]


def server_status(**changes: object) -> ServerStatus:
    """A server that is well, but for *changes*."""
    facts: dict[str, object] = {
        "name": "mx1",
        "url": "https://mx1.example.org",
        "generation": "rest",
        "edition": "enterprise",
        "version": "0.15.5",
        "up": True,
        "capabilities": tuple(CapabilityRow(name=name, status="available") for name in ("queue", "logs")),
        "collectors": (collector(),),
        "streams": (StreamStatus(name="metrics", connected=True, transport="sse", last_event_at=NOW),),
    }
    return ServerStatus(**{**facts, **changes})  # type: ignore[arg-type]


def status_page(*servers: ServerStatus, **changes: object) -> StatusPage:
    """A page where all is well, but for *changes*."""
    facts: dict[str, object] = {
        "version": "1.2.3",
        "started_at": NOW - timedelta(hours=3),
        "servers": servers or (server_status(),),
        "store": StoreStatus(path="/var/lib/history.sqlite3", size_bytes=5_300_000, ok=True),
    }
    return StatusPage(**{**facts, **changes})  # type: ignore[arg-type]


def application(
    *,
    metrics: FixedMetrics | None = None,
    health: FixedHealth | None = None,
    page: StatusPage | None = None,
    reloader: CountingReloader | None = None,
    shows_status: bool = True,
    history: HistoryReader | None = None,
    clock: Clock | None = None,
) -> ASGIApp:
    """The application on fixed facts."""
    return create_app(
        metrics=metrics or FixedMetrics(),
        health=health or FixedHealth(),
        status=FixedStatus(page or status_page()) if shows_status else None,
        reloader=reloader,
        clock=clock or SystemClock(),
        history=history,
    )


Run = Callable[[Awaitable[object]], None]


@asynccontextmanager
async def serving(
    app: ASGIApp, *, ssl_context: ssl.SSLContext | None = None, limits: HttpLimits | None = None
) -> AsyncIterator[WebServer]:
    """A server on a free port of loopback, stopped at the end."""
    server = WebServer(app, listen=[("127.0.0.1", 0)], clock=SystemClock(), ssl_context=ssl_context, limits=limits)
    await server.start()
    serve = asyncio.create_task(server.serve_forever())
    try:
        yield server
    finally:
        await server.stop()
        await serve


@asynccontextmanager
async def browsing(
    server: WebServer, *, verify: ssl.SSLContext | None = None, auth: tuple[str, str] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client of that server; over TLS if it has something to verify with."""
    scheme = "https" if verify else "http"
    url = f"{scheme}://127.0.0.1:{server.port}"
    async with httpx.AsyncClient(
        base_url=url, trust_env=False, verify=verify or False, auth=auth, timeout=60
    ) as client:
        yield client


@asynccontextmanager
async def connected(
    server: WebServer, *, ssl_context: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to that server, closed at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=ssl_context)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Returns once the condition holds; fails after the deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            holds = condition()
            if await holds if isinstance(holds, Awaitable) else holds:
                return
            await asyncio.sleep(0.02)


async def read_to_end(reader: asyncio.StreamReader) -> bytes:
    """All that the server sends until it closes, be it with a reset; fails if it does not close by the deadline."""
    received = bytearray()
    async with asyncio.timeout(DEADLINE_SECONDS):
        try:
            while piece := await reader.read(65_536):
                received += piece
        except ConnectionResetError:
            pass
    return bytes(received)


def basic(name: str, password: str) -> dict[str, str]:
    """The header of Basic credentials."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}
