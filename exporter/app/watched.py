"""One watched server: everything about it hangs here, and nothing of it is shared with another."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from exporter.app.connection import Connection
from exporter.app.supervise import LongRun
from exporter.clock import Clock
from exporter.collectors.exposition import Source
from exporter.collectors.health import CollectorsSource, IdentitySource
from exporter.collectors.inventory import AccountsSource, InventorySource
from exporter.collectors.queue import FailedSource, OutgoingSource, QueueSource
from exporter.collectors.reports import ReportSource
from exporter.collectors.telemetry import GaugeSource, TallySource
from exporter.ingest.counting.deliveries import OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import LIVE_MARK, Reconciler
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.inventory import InventoryJob
from exporter.ingest.jobs.live_metrics import LiveMetrics
from exporter.ingest.jobs.live_traces import LiveTraces
from exporter.ingest.jobs.logs import LogJob, OwnLines
from exporter.ingest.jobs.queue import FailedJob, OutgoingJob, QueueJob
from exporter.ingest.jobs.reports import ReportJob
from exporter.ingest.jobs.telemetry import (
    COUNTERS_MARK,
    LIVE,
    RANKING,
    SOURCE_MARK,
    NativeJob,
    StoredJob,
    TotalsCounter,
)
from exporter.ingest.jobs.traces import TraceJob
from exporter.ingest.jobs.version import VersionJob, VersionSearch, kept_version
from exporter.ingest.loops.feed import Feed
from exporter.ingest.loops.poller import Job, Poller
from exporter.ingest.loops.session import RECHECK_SECONDS, Session
from exporter.ingest.loops.subscriber import Subscriber
from exporter.model.server import Capability
from exporter.settings import ServerSettings
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.costs import ApiCosts
from exporter.state.report_gauges import ReportGaugeBoard
from exporter.state.tally import TallyBook
from exporter.store.reports.store import ReportHistory
from exporter.store.store import Store

SPREAD_SECONDS = 10.0
"""First runs are spread over this time, or over the shortest interval where that is shorter."""

SILENT = ("native", "failed", "inventory")
"""Collectors that do not ask the management API, or not each time they run."""

FREE = ("failed",)
"""Collectors that make no request of their own, and so need not spare the server where there is nothing to collect."""


@dataclass(frozen=True, slots=True)
class Saved:
    """
    What is known of a server beyond one life of its runtime.

    Attributes:
        board: Empty but for the tallies.
        reconciler: What live and stored traces have brought; for every server, also one without streams.
    """

    board: ServerBoard
    ledger: Ledger
    reconciler: Reconciler

    @classmethod
    async def load(cls, name: str, store: Store, *, clock: ServerClock) -> Saved:
        """Read what *store* holds of the server called *name*; raises `StoreError`."""
        board = ServerBoard(name, TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, name, board.tallies, board)
        return cls(board, ledger, await Reconciler.load(ledger, clock=clock))


class WatchedServer:
    """
    The runtime of one ``[[servers]]`` entry.

    Attributes:
        board: What is known of the server.
        connection: Whoever ends the runtime closes it, or gives it to the next one.
        sources: Its collectors, for the exposition.
    """

    def __init__(
        self,
        settings: ServerSettings,
        connection: Connection,
        saved: Saved,
        session: Session,
        pollers: Sequence[Poller],
        subscribers: Sequence[Subscriber],
        report_gauges: ReportGaugeBoard,
        *,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.board = board = saved.board
        self._saved = saved
        self._session = session
        self._pollers = pollers
        self._subscribers = subscribers
        self._clock = clock
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
    def assemble(
        cls,
        settings: ServerSettings,
        connection: Connection,
        costs: ApiCosts,
        saved: Saved,
        store: Store,
        *,
        clock: Clock,
        rng: random.Random,
        reraise_bugs: bool = False,
    ) -> WatchedServer:
        """Put a server's parts together; reads nothing, asks nobody and starts nothing."""
        board, ledger = saved.board, saved.ledger
        board.costs = costs
        server_clock = connection.server_clock
        server_clock.subscribe(board.show_clock_skew)
        if server_clock.skew_seconds is not None:
            board.show_clock_skew(server_clock.skew_seconds)
        session = Session(
            detector=connection.detector,
            client=connection.client,
            board=board,
            clock=clock,
            rng=rng,
            retry_cap_seconds=min(every for _, every in settings.intervals),
            reraise_bugs=reraise_bugs,
            kept_version=partial(kept_version, ledger),
        )
        counting = Counting.begin(settings, saved, streams=connection.live is not None, clock=server_clock)
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
        pollers = _pollers(plan, session, clock=clock, rng=rng, reraise_bugs=reraise_bugs)
        subscribers = [
            Subscriber(
                feed=feed, live=connection.live, session=session, clock=clock, rng=rng, reraise_bugs=reraise_bugs
            )
            for feed in _feeds(board, ledger, counting, server_clock)
            if connection.live is not None
        ]
        return cls(settings, connection, saved, session, pollers, subscribers, report_gauges, clock=clock)

    def runs(self) -> Iterator[tuple[str, LongRun]]:
        """The long tasks that watch the server, by the name of the collector."""
        yield "detection", self._session.run
        yield "version", VersionSearch(self.board, self._saved.ledger, self._session, clock=self._clock).run
        yield from ((poller.name, poller.run) for poller in self._pollers)
        yield from ((subscriber.name, subscriber.run) for subscriber in self._subscribers)

    async def retry(self) -> None:
        """Ask once more, also with credentials that were refused: an operator has reloaded."""
        self.connection.allow_retry()
        await self._session.retry()

    async def settle(self) -> None:
        """Wait for writes under way, and save what the file would not take before; the tasks have ended."""
        await self._saved.ledger.settle()

    def hand_over(self) -> Saved:
        """What the next runtime of this server goes on with; this one must have settled and is over then."""
        board = ServerBoard(self.board.name, self.board.tallies, monotonic=self._clock.monotonic)
        ledger = self._saved.ledger.moved_to(board)
        return Saved(board, ledger, self._saved.reconciler)


@dataclass(frozen=True, slots=True)
class Counting:
    """What the sources of one server's counters have in common."""

    choice: SourceChoice
    totals: TotalsCounter
    owners: DeliveryOwners
    deliveries: DeliveryCounter
    reconciler: Reconciler | None

    @classmethod
    def begin(cls, settings: ServerSettings, saved: Saved, *, streams: bool, clock: ServerClock) -> Counting:
        """Go on from what was saved."""
        board, ledger = saved.board, saved.ledger
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
            saved.reconciler if streams or ledger.watermark(LIVE_MARK) is not None else None,
        )


def _feeds(board: ServerBoard, ledger: Ledger, counting: Counting, clock: ServerClock) -> Sequence[Feed]:
    """What is counted from the live streams."""
    feeds: list[Feed] = [LiveMetrics(board, counting.totals, counting.choice)]
    if counting.reconciler is not None:
        feeds.append(LiveTraces(board, ledger, counting.owners, counting.deliveries, counting.reconciler, clock=clock))
    return feeds


Plan = list[tuple[str, Job, float, Capability | None]]


def _pollers(plan: Plan, session: Session, *, clock: Clock, rng: random.Random, reraise_bugs: bool) -> Sequence[Poller]:
    """One for each collector, their first runs spread over the shortest interval."""
    shortest = min(interval for _, _, interval, _ in plan)
    step = min(SPREAD_SECONDS, shortest) / len(plan)
    return [
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
            recheck_seconds=interval if name in FREE else RECHECK_SECONDS,
            reraise_bugs=reraise_bugs,
        )
        for number, (name, job, interval, capability) in enumerate(plan)
    ]


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
        ("logs", VersionJob(board, ledger, logs), every.logs, Capability.LOGS),
        ("metrics", stored, every.metrics, Capability.STORED_METRICS),
        ("outgoing", OutgoingJob(board, interval_seconds=every.outgoing), every.outgoing, Capability.OUTGOING_REPORTS),
        ("failed", FailedJob(board, interval_seconds=every.failed), every.failed, None),
        ("inventory", InventoryJob(board, interval_seconds=every.inventory), every.inventory, None),
    ]
