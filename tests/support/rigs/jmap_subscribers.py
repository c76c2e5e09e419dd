"""Subscribers of the exporter, wired as in the daemon, in the test's own event loop, on a stand-in server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.app.servers.connection import ServerConnection, connect
from exporter.clock import SystemClock
from exporter.ingest.counting.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import Reconciler
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.live_metrics import LiveMetrics
from exporter.ingest.jobs.live_traces import LiveTraces
from exporter.ingest.jobs.telemetry import RANKING, TotalsCounter
from exporter.ingest.jobs.traces import TraceJob
from exporter.ingest.loops.session import Session
from exporter.ingest.loops.subscriber import Subscriber
from exporter.settings import ServerSettings
from exporter.simulator import StandIn
from exporter.stalwart.live import LiveClient
from exporter.state.board import ServerBoard
from exporter.state.streams import StreamHealth
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from tests.support.standin import WATCHER


def server_settings(url: str, **settings: Any) -> ServerSettings:
    """What an operator would write of a server."""
    table = {"name": "mx1", "url": url, "username": WATCHER[0], "password": WATCHER[1]}
    return ServerSettings.model_validate({**table, "max_requests_per_minute": 10_000, **settings})


@dataclass
class Watch:
    """What a test sees of the subscribers at work."""

    server: StandIn
    board: ServerBoard
    connection: ServerConnection
    session: Session
    job: TraceJob
    tasks: list[asyncio.Task[object]]

    @property
    def traces(self) -> StreamHealth:
        """How the stream of traces is doing."""
        return self.board.streams["traces"]

    def shown(self, family: str) -> dict[tuple[str, ...], int]:
        """A family's tallies that are not zero."""
        return {labels: n for labels, n in self.board.tallies.family(family).items() if n}

    async def until(self, condition: Callable[[], object], what: str, *, seconds: float = 60.0) -> None:
        """Waits for *condition*; fails with *what* after the deadline, or with what ended a task."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            for task in self.tasks:
                if task.done():
                    task.result()
            assert asyncio.get_running_loop().time() < deadline, (
                f"not in time: {what}; {self.board.streams}; {self.board.collectors}; {self.shown('deliveries')}"
            )
            await asyncio.sleep(0.02)

    async def poll_traces(self) -> None:
        """Asks for stored traces, as the poller does."""
        await self.job(await self.session.client())


@asynccontextmanager
async def watching(
    server: StandIn, folder: Path, *, live: Callable[[ServerConnection], LiveClient] | None = None
) -> AsyncIterator[Watch]:
    """Follows both streams of *server* while the block lasts; *live* may put another client in."""
    clock = SystemClock()
    rng = random.Random(7)  # noqa: S311 - the same jitter in every run
    store = await Store.open(folder / "history.sqlite3", now=clock.now())
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    ledger = await Ledger.load(store, "mx1", board.tallies, board)
    connection = connect(server_settings(server.url), clock=clock, observer=None)
    assert connection.live is not None
    client = connection.live if live is None else live(connection)
    session = Session(detector=connection.detector, client=connection.client, board=board, clock=clock, rng=rng)
    choice = SourceChoice(RANKING)
    server_clock = connection.server_clock
    owners = DeliveryOwners(server_clock)
    deliveries = DeliveryCounter(board, owners, clock, max_domains=25)
    reconciler = await Reconciler.load(ledger, clock=server_clock)
    job = TraceJob(ledger, owners, deliveries, clock=server_clock, reconciler=reconciler)
    feeds = (
        LiveMetrics(board, TotalsCounter(board, ledger, choice), choice),
        LiveTraces(board, ledger, owners, deliveries, reconciler, clock=server_clock),
    )
    subscribers = [
        Subscriber(feed=feed, live=client, session=session, clock=clock, rng=rng, reraise_bugs=True) for feed in feeds
    ]
    tasks: list[asyncio.Task[object]] = [asyncio.create_task(one.run()) for one in (session, *subscribers)]
    try:
        yield Watch(server, board, connection, session, job, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await connection.aclose()
        await store.aclose()
