"""A client of a replayed server of v0.16, and rows to fill such a server with."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from exporter.clock import SystemClock
from exporter.stalwart.http.credentials import Basic, Bearer, Credentials
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.client import JmapClient
from tests.support.replays.jmap import WATCHER_KEY, JmapServer, id_of
from tests.support.replays.jmap_http import serving

T = TypeVar("T")

EPOCH = datetime.fromtimestamp(1_632_280_000, UTC)
FIRST_QUEUE_ID = 342_000_000_000_000_000
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Never used, and made much faster than one with the system's authorities."""

NATIVE = Basic("prometheus", "lab-prometheus-secret")


def transport_to(url: str, *, login: Credentials | None = None, **settings: Any) -> Transport:
    """A transport with a login, in no way slowed down."""
    clock = settings.pop("clock", SystemClock())
    throttle = Throttle(clock=clock, requests=100_000)
    credentials = login or Bearer(WATCHER_KEY)
    return Transport(
        base_url=url,
        credentials=credentials,
        native_credentials=NATIVE,
        clock=clock,
        throttle=throttle,
        tls=TLS,
        **settings,
    )


def asked(
    server: JmapServer, job: Callable[[JmapClient], Awaitable[T]], *, identify: bool = True, **settings: Any
) -> T:
    """What *job* gets from a client of *server*."""

    async def run(url: str) -> T:
        clock = settings.setdefault("clock", SystemClock())
        client = JmapClient(transport_to(url, **settings), clock=clock)
        try:
            if identify:
                await client.identify()
            return await job(client)
        finally:
            await client.aclose()

    with serving(server) as url:
        return asyncio.run(run(url), debug=True)


def methods_of(server: JmapServer, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """The calls about one type of object that a server was asked, in order."""
    calls = [call for request in server.asked for call in request.calls]
    return [(name.partition("/")[2], arguments) for name, arguments, _ in calls if name.startswith(f"x:{kind}/")]


def stamp(moment: datetime) -> str:
    """As the server writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def snowflake(moment: datetime, *, sequence: int = 0, node: int = 0) -> str:
    """An id that was made at a moment."""
    milliseconds = (moment - EPOCH) // timedelta(milliseconds=1)
    return id_of(milliseconds << 21 | sequence << 9 | node)


def message(number: int, *, due: datetime, size: int = 1000, **recipients: dict[str, Any]) -> dict[str, Any]:
    """A queued message, by default with one recipient that was put off."""
    return {
        "id": id_of(FIRST_QUEUE_ID + number),
        "createdAt": "2026-11-22T12:00:00Z",
        "nextRetry": stamp(due),
        "returnPath": "alice@example.test",
        "size": size,
        "priority": 0,
        "recipients": recipients or {f"u{number}@defer.test": recipient(due)},
    }


def recipient(due: datetime, *, queue: str = "remote", **status: Any) -> dict[str, Any]:
    """A recipient, by default put off with 451."""
    put_off = {
        "@type": "TemporaryFailure",
        "errorType": "unexpectedResponse",
        "errorMessage": None,
        "errorCommand": "RCPT TO:<u@defer.test>",
        "responseHostname": "mx.defer.test",
        "responseCode": 451,
        "responseEnhanced": "4.7.1",
        "responseMessage": "Try again later",
    }
    return {
        "retryCount": 1,
        "retryDue": stamp(due),
        "notifyCount": 0,
        "notifyDue": stamp(due + timedelta(days=1)),
        "expires": {"expiresAt": stamp(due + timedelta(days=5)), "@type": "Ttl"},
        "queueName": queue,
        "status": status or put_off,
        "flags": {},
        "orcpt": None,
    }
