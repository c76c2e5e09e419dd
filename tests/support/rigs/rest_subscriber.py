"""A subscriber of the exporter in the test's own event loop, on a stand-in server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock, SystemClock
from exporter.ingest.counting.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import Reconciler
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.live_metrics import LiveMetrics
from exporter.ingest.jobs.live_traces import LiveTraces
from exporter.ingest.jobs.telemetry import RANKING, TotalsCounter
from exporter.ingest.loops.feed import Feed
from exporter.ingest.loops.session import Session
from exporter.ingest.loops.subscriber import Subscriber
from exporter.model.live import StreamKind
from exporter.simulator import StandIn
from exporter.stalwart.detect import RestDetector
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.client import RestClient
from exporter.stalwart.rest.live.client import RestLiveClient
from exporter.stalwart.streams.opening import Mode, StreamOpener
from exporter.state.board import ServerBoard
from exporter.state.streams import StreamHealth
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from tests.support.standin import WATCHER


@dataclass
class Following:
    """What a test sees of a subscriber at work."""

    server: StandIn
    clock: Clock
    board: ServerBoard
    choice: SourceChoice
    subscriber: Subscriber
    task: asyncio.Task[object]

    @property
    def stream(self) -> StreamHealth:
        """How its stream is doing."""
        (only,) = self.board.streams.values()
        return only

    def shown(self, family: str) -> dict[tuple[str, ...], int]:
        """A family's tallies that are not zero."""
        return {labels: n for labels, n in self.board.tallies.family(family).items() if n}

    async def until(self, condition: Callable[[], object], what: str, *, seconds: float = 30.0) -> None:
        """Waits for *condition*; fails with *what* after the deadline, or with what ended the subscriber."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not condition():
            if self.task.done():
                self.task.result()
            health = self.board.collectors[self.subscriber.name]
            assert asyncio.get_running_loop().time() < deadline, f"not in time: {what}; {self.stream}; {health}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def following(
    server: StandIn,
    folder: Path,
    *,
    kind: StreamKind = StreamKind.TRACES,
    mode: Mode = "auto",
    idle_margin_seconds: float = 15.0,
    wrap: Callable[[Feed], Feed] = lambda feed: feed,
    reraise_bugs: bool = True,
    clock: Clock | None = None,
) -> AsyncIterator[Following]:
    """A subscriber that follows one stream of *server* while the block lasts."""
    clock = clock or SystemClock()
    store = await Store.open(folder / "history.sqlite3", now=clock.now())
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    ledger = await Ledger.load(store, "mx1", board.tallies, board)
    throttle = Throttle(clock=clock, requests=1000)
    transport = Transport(base_url=server.url, credentials=Basic(*WATCHER), clock=clock, throttle=throttle)
    opener = StreamOpener(base_url=server.url, mode=mode, throttle=throttle, clock=clock, answer_timeout_seconds=3)
    client = RestClient(transport, clock=clock)
    live = RestLiveClient(transport, opener, generation=lambda: client.generation)
    rng = random.Random(7)  # noqa: S311 - the same jitter in every run
    session = Session(detector=RestDetector(transport), client=client, board=board, clock=clock, rng=rng)
    choice = SourceChoice(RANKING)
    feed: Feed
    if kind is StreamKind.METRICS:
        feed = LiveMetrics(board, TotalsCounter(board, ledger, choice), choice)
    else:
        server_clock = ServerClock(clock)
        owners = DeliveryOwners(server_clock)
        deliveries = DeliveryCounter(board, owners, clock, max_domains=25)
        reconciler = await Reconciler.load(ledger, clock=server_clock)
        reconciler.coverage.no_store()
        feed = LiveTraces(board, ledger, owners, deliveries, reconciler, clock=server_clock)
    subscriber = Subscriber(
        feed=wrap(feed),
        live=live,
        session=session,
        clock=clock,
        rng=rng,
        idle_margin_seconds=idle_margin_seconds,
        reraise_bugs=reraise_bugs,
    )
    detecting = asyncio.create_task(session.run())
    task: asyncio.Task[object] = asyncio.create_task(subscriber.run())
    try:
        yield Following(server, clock, board, choice, subscriber, task)
    finally:
        for one in (task, detecting):
            one.cancel()
        await asyncio.gather(task, detecting, return_exceptions=True)
        await live.aclose()
        await transport.aclose()
        await store.aclose()
