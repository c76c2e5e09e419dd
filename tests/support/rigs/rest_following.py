"""Scenes with a subscriber of the exporter on a stand-in server of v0.15."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from exporter.simulator import StandIn
from tests.support.rigs.rest_subscriber import Following, following
from tests.support.standin import outcomes

TRACES = "/api/telemetry/traces/live"
TOKEN = "/api/telemetry/live/tracing-token"


def play(server: StandIn, folder: Path, scene: Callable[[Following], Awaitable[None]], **options: Any) -> None:
    """Plays *scene* with a subscriber on *server*, over the transport that it speaks."""
    options.setdefault("mode", "websocket" if server.simulator.world.profile.live_websocket else "sse")

    async def inside() -> None:
        async with following(server, folder, **options) as watch:
            await scene(watch)

    asyncio.run(inside())


async def counted(watch: Following) -> None:
    """Waits until the deliveries shown are those that the server made."""
    await watch.until(lambda: watch.shown("deliveries") == outcomes(watch.server), "all deliveries are counted")


async def connected(watch: Following, times: int = 1) -> None:
    """Waits until the stream has been opened so many times and is open."""
    await watch.until(lambda: watch.stream.connected and watch.stream.connects >= times, f"connected {times} times")
