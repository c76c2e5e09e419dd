"""A client of live streams on a stand-in server of v0.15."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from exporter.clock import SystemClock
from exporter.model.live import StreamKind
from exporter.model.server import Generation
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.live.client import RestLiveClient
from exporter.stalwart.streams.opening import Mode, StreamOpener
from exporter.state.costs import ApiCosts
from tests.support.standin import WATCHER

TOKENS = {
    StreamKind.METRICS: "/api/telemetry/live/metrics-token",
    StreamKind.TRACES: "/api/telemetry/live/tracing-token",
}
PATHS = {StreamKind.METRICS: "/api/telemetry/metrics/live", StreamKind.TRACES: "/api/telemetry/traces/live"}


@asynccontextmanager
async def live_client(
    url: str,
    *,
    mode: Mode = "auto",
    login: tuple[str, str] = WATCHER,
    generation: Generation = Generation.REST,
    costs: ApiCosts | None = None,
    throttle: Throttle | None = None,
) -> AsyncIterator[RestLiveClient]:
    """A client of the live streams at *url*."""
    clock = SystemClock()
    throttle = throttle or Throttle(clock=clock, requests=1000)
    transport = Transport(
        base_url=url, credentials=Basic(*login), clock=clock, throttle=throttle, observer=costs, read_timeout_seconds=3
    )
    opener = StreamOpener(
        base_url=url, mode=mode, throttle=throttle, clock=clock, observer=costs, answer_timeout_seconds=3
    )
    client = RestLiveClient(transport, opener, generation=lambda: generation)
    try:
        yield client
    finally:
        await client.aclose()
        await transport.aclose()


def with_client(url: str, work: Callable[[RestLiveClient], Awaitable[object]], **options: object) -> object:
    """Runs *work* with a client."""

    async def inside() -> object:
        async with live_client(url, **options) as client:  # type: ignore[arg-type]
            return await work(client)

    return asyncio.run(inside())
