"""Watched servers in the process of the test."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from exporter.app.servers.fleet import Fleet
from exporter.app.servers.webhook import WebhookLimits
from exporter.clock import SystemClock
from exporter.collectors.exposition import Exposition
from exporter.settings import ServerSettings, TrailSettings
from exporter.simulator import StandIn
from exporter.store.store import Store
from tests.support.standin import WATCHER, mail

NOWHERE = "http://127.0.0.1:1"
HANG_GUARD_SECONDS = 30


def server(name: str) -> ServerSettings:
    return ServerSettings(name=name, url=NOWHERE, token="secret-token", intervals={"queue": 30})


@asynccontextmanager
async def history_in(directory: Path) -> AsyncIterator[Store]:
    """The history file, closed at the end."""
    store = await Store.open(directory / "history.sqlite3", now=SystemClock().now())
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def fleet_on(store: Store) -> AsyncIterator[Fleet]:
    """A fleet without servers, stopped at the end."""
    clock = SystemClock()
    async with asyncio.TaskGroup() as group:
        exposition = Exposition(extra=lambda _: b"", monotonic=clock.monotonic)
        limits = WebhookLimits(max_body_bytes=1 << 20, max_backlog_bytes=1 << 20)
        rng = random.Random(1)  # noqa: S311 - jitter
        fleet = Fleet(group, store, exposition, trail=TrailSettings(), webhooks=limits, clock=clock, rng=rng)
        try:
            yield fleet
        finally:
            await fleet.stop()


def watching(url: str, **settings: object) -> ServerSettings:
    """The settings of ``mx1`` at *url*, whose log is read every second."""
    return ServerSettings(
        name="mx1",
        url=url,
        username=WATCHER[0],
        password=WATCHER[1],
        max_requests_per_minute=10_000,
        intervals={"logs": 1, "queue": 1},
        streams={"transport": "off"},
        **settings,
    )


async def reached(fleet: Fleet, condition: Callable[[], bool]) -> None:
    """Return once *condition* holds, which is looked at after each change of the fleet."""
    changed = asyncio.Event()
    fleet.subscribe(changed.set)
    async with asyncio.timeout(HANG_GUARD_SECONDS):
        while not condition():
            await changed.wait()
            changed.clear()


def delivered(fleet: Fleet) -> dict[str, int]:
    """The deliveries of the only server by outcome."""
    (board,) = fleet.boards
    totals: Counter[str] = Counter()
    for (outcome, *_), number in board.tallies.family("deliveries").items():
        totals[outcome] += number
    return dict(totals)


async def watch_one_delivery(fleet: Fleet, server: StandIn) -> None:
    """Have *fleet* watch *server*, which then delivers a message; return once that is counted."""
    await fleet.swap(await fleet.prepare([watching(server.url)]))
    await reached(fleet, lambda: fleet.boards[0].collectors["logs"].success is True)
    await asyncio.to_thread(mail, server, "a@ok.test")
    await reached(fleet, lambda: delivered(fleet) == {"delivered": 1})
