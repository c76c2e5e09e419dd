"""One watched server: everything about it hangs here, and nothing of it is shared with another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from exporter.app.connection import Connection, connect
from exporter.clock import Clock
from exporter.collectors.exposition import Source
from exporter.collectors.health import CollectorsSource, IdentitySource
from exporter.collectors.inventory import AccountsSource, InventorySource
from exporter.collectors.queue import FailedSource, OutgoingSource, QueueSource
from exporter.collectors.reports import ReportSource
from exporter.collectors.telemetry import GaugeSource, TallySource
from exporter.ingest.deliveries import OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.inventory import InventoryJob
from exporter.ingest.ledger import Ledger
from exporter.ingest.live_metrics import LiveMetrics
from exporter.ingest.live_traces import LiveTraces
from exporter.ingest.logs import LogJob, OwnLines
from exporter.ingest.poller import Job, Poller
from exporter.ingest.queue import FailedJob, OutgoingJob, QueueJob
from exporter.ingest.reconcile import LIVE_MARK, Reconciler
from exporter.ingest.reports import ReportJob
from exporter.ingest.session import Session
from exporter.ingest.sources import SourceChoice
from exporter.ingest.subscriber import Feed, Subscriber
from exporter.ingest.telemetry import COUNTERS_MARK, LIVE, RANKING, SOURCE_MARK, NativeJob, StoredJob, TotalsCounter
from exporter.ingest.traces import TraceJob
from exporter.model.server import Capability
from exporter.settings import ServerSettings
from exporter.stalwart.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.report_gauges import ReportGaugeBoard
from exporter.state.tally import TallyBook
from exporter.store.reports import ReportHistory
from exporter.store.store import Store

SPREAD_SECONDS = 10.0
"""First runs are spread over this time, or over the shortest interval where that is shorter."""

SILENT = ("native", "failed", "inventory")
"""Collectors that do not ask the management API, or not each time they run."""


class WatchedServer:
    """
    The runtime of one ``[[servers]]`` entry.

    Attributes:
        board: What is known of the server.
        sources: Its collectors, for the exposition.
    """

    def __init__(
        self,
        settings: ServerSettings,
        board: ServerBoard,
        connection: Connection,
        session: Session,
        pollers: Sequence[Poller],
        report_gauges: ReportGaugeBoard,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        self.settings = settings
        self.board = board
        self._connection = connection
        self._session = session
        self._pollers = pollers
        self._subscribers = subscribers
        self.sources: Sequence[Source] = (
            IdentitySource(board),
            QueueSource(board, max_domains=settings.max_domains),
            FailedSource(board),
            OutgoingSource(board),
            TallySource(board),
            GaugeSource(board),
            AccountsSource(board),
            InventorySource(board, max_domains=settings.max_domains),
            ReportSource(board, report_gauges),
            CollectorsSource(board),
        )

    @classmethod
    async def build(
        cls, settings: ServerSettings, store: Store, *, clock: Clock, rng: random.Random, reraise_bugs: bool = False
    ) -> WatchedServer:
        """Puts a server's parts together and reads what was saved of it; raises `StoreError`."""
        book = TallyBook()
        board = ServerBoard(settings.name, book, monotonic=clock.monotonic)
        ledger = await Ledger.load(store, settings.name, book, board)
        connection = connect(settings, observer=board.costs, clock=clock)
        server_clock = connection.server_clock
        server_clock.subscribe(board.show_clock_skew)
        session = Session(
            detector=connection.detector,
            client=connection.client,
            board=board,
            clock=clock,
            rng=rng,
            reraise_bugs=reraise_bugs,
        )
        counting = await Counting.load(settings, board, ledger, streams=connection.live is not None, clock=server_clock)
        report_gauges = ReportGaugeBoard(monotonic=clock.monotonic)
        reports = ReportJob(
            board,
            ledger,
            ReportHistory(store, settings.name),
            report_gauges,
            clock=server_clock,
            interval_seconds=settings.intervals.reports,
            max_requests_per_minute=settings.max_requests_per_minute,
            max_domains=settings.max_domains,
        )
        plan: Plan = [
            *_plan(settings, board, ledger, connection, counting),
            ("reports", reports, settings.intervals.reports, Capability.REPORTS),
        ]
        shortest = min(interval for _, _, interval, _ in plan)
        step = min(SPREAD_SECONDS, shortest) / len(plan)
        pollers = [
            Poller(
                name=name,
                job=job,
                session=session,
                interval_seconds=interval,
                first_delay_seconds=number * step,
                clock=clock,
                rng=rng,
                capability=capability,
                speaks_for_api=name not in SILENT,
                reraise_bugs=reraise_bugs,
            )
            for number, (name, job, interval, capability) in enumerate(plan)
        ]
        subscribers = [
            Subscriber(
                feed=feed, live=connection.live, session=session, clock=clock, rng=rng, reraise_bugs=reraise_bugs
            )
            for feed in _feeds(board, ledger, counting, server_clock)
            if connection.live is not None
        ]
        return cls(settings, board, connection, session, pollers, report_gauges, subscribers)

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run(), name=f"{self.settings.name}-session")
            for poller in self._pollers:
                group.create_task(poller.run(), name=f"{self.settings.name}-{poller.name}")
            for subscriber in self._subscribers:
                group.create_task(subscriber.run(), name=f"{self.settings.name}-{subscriber.name}")

    async def retry(self) -> None:
        """An operator has reloaded: also credentials that were refused are tried once more."""
        self._connection.allow_retry()
        await self._session.retry()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._connection.aclose()


@dataclass(frozen=True, slots=True)
class Counting:
    """What the sources of one server's counters have in common."""

    choice: SourceChoice
    totals: TotalsCounter
    owners: DeliveryOwners
    deliveries: DeliveryCounter
    reconciler: Reconciler | None

    @classmethod
    async def load(
        cls, settings: ServerSettings, board: ServerBoard, ledger: Ledger, *, streams: bool, clock: ServerClock
    ) -> Counting:
        """Takes up what was saved; raises `StoreError`."""
        choice = SourceChoice(RANKING, ledger.watermark(SOURCE_MARK) or "", ledger.watermark(COUNTERS_MARK))
        owners = DeliveryOwners(clock, ledger.watermark(OWNERS_MARK))
        if not streams:
            choice.out(LIVE)
            owners.give_up(LIVE)
        return cls(
            choice,
            TotalsCounter(board, ledger, choice),
            owners,
            DeliveryCounter(board, owners, clock, max_domains=settings.max_domains),
            await Reconciler.load(ledger, clock=clock) if streams or ledger.watermark(LIVE_MARK) is not None else None,
        )


def _feeds(board: ServerBoard, ledger: Ledger, counting: Counting, clock: ServerClock) -> Sequence[Feed]:
    """What is counted from the live streams."""
    feeds: list[Feed] = [LiveMetrics(board, counting.totals, counting.choice)]
    if counting.reconciler is not None:
        feeds.append(LiveTraces(board, ledger, counting.owners, counting.deliveries, counting.reconciler, clock=clock))
    return feeds


Plan = list[tuple[str, Job, float, Capability | None]]


def _plan(
    settings: ServerSettings,
    board: ServerBoard,
    ledger: Ledger,
    connection: Connection,
    counting: Counting,
) -> Plan:
    """The collectors of a server, in the order of their first runs."""
    clock = connection.server_clock
    every = settings.intervals
    choice, owners, deliveries = counting.choice, counting.owners, counting.deliveries
    port = urlsplit(settings.url).port or 0
    logs = LogJob(
        board,
        ledger,
        owners,
        deliveries,
        own=OwnLines(board, connection.account, port),
        count_own=settings.count_own_requests,
        interval_seconds=every.logs,
    )
    queue = QueueJob(board, max_messages=settings.max_queue_messages, interval_seconds=every.queue)
    native = NativeJob(counting.totals, choice, interval_seconds=every.native)
    traces = TraceJob(ledger, owners, deliveries, clock=clock, reconciler=counting.reconciler)
    stored = StoredJob(board, ledger, choice, clock=clock)
    return [
        ("queue", queue, every.queue, Capability.QUEUE),
        ("native", native, every.native, Capability.NATIVE_METRICS),
        ("traces", traces, every.traces, Capability.TRACES),
        ("logs", logs, every.logs, Capability.LOGS),
        ("metrics", stored, every.metrics, Capability.STORED_METRICS),
        ("outgoing", OutgoingJob(board, interval_seconds=every.outgoing), every.outgoing, Capability.OUTGOING_REPORTS),
        ("failed", FailedJob(board, interval_seconds=every.failed), every.failed, None),
        ("inventory", InventoryJob(board, interval_seconds=every.inventory), every.inventory, None),
    ]
