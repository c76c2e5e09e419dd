"""One watched server: everything about it hangs here, and nothing of it is shared with another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from urllib.parse import urlsplit

from exporter.app.connection import Connection, connect
from exporter.clock import Clock
from exporter.collectors.exposition import Source
from exporter.collectors.health import CollectorsSource, IdentitySource
from exporter.collectors.queue import FailedSource, OutgoingSource, QueueSource
from exporter.collectors.telemetry import GaugeSource, TallySource
from exporter.ingest.deliveries import OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.ledger import Ledger
from exporter.ingest.logs import LogJob, OwnLines
from exporter.ingest.poller import Job, Poller
from exporter.ingest.queue import FailedJob, OutgoingJob, QueueJob
from exporter.ingest.session import Session
from exporter.ingest.sources import SourceChoice
from exporter.ingest.telemetry import RANKING, SOURCE_MARK, NativeJob, StoredJob
from exporter.ingest.traces import TraceJob
from exporter.model.server import Capability
from exporter.settings import ServerSettings
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store

SPREAD_SECONDS = 10.0
"""First runs are spread over this time, or over the shortest interval where that is shorter."""


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
    ) -> None:
        self.settings = settings
        self.board = board
        self._connection = connection
        self._session = session
        self._pollers = pollers
        self.sources: Sequence[Source] = (
            IdentitySource(board),
            QueueSource(board, max_domains=settings.max_domains),
            FailedSource(board),
            OutgoingSource(board),
            TallySource(board),
            GaugeSource(board),
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
        session = Session(detector=connection.detector, client=connection.client, board=board, clock=clock, rng=rng)
        plan = _plan(settings, board, ledger, connection, clock)
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
                speaks_for_api=name not in ("native", "failed"),
                reraise_bugs=reraise_bugs,
            )
            for number, (name, job, interval, capability) in enumerate(plan)
        ]
        return cls(settings, board, connection, session, pollers)

    async def run(self) -> None:
        """Watches until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._session.run(), name=f"{self.settings.name}-session")
            for poller in self._pollers:
                group.create_task(poller.run(), name=f"{self.settings.name}-{poller.name}")

    async def retry(self) -> None:
        """An operator has reloaded: also credentials that were refused are tried once more."""
        self._connection.allow_retry()
        await self._session.retry()

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._connection.aclose()


Plan = list[tuple[str, Job, float, Capability | None]]


def _plan(settings: ServerSettings, board: ServerBoard, ledger: Ledger, connection: Connection, clock: Clock) -> Plan:
    """The collectors of a server, in the order of their first runs."""
    every = settings.intervals
    choice = SourceChoice(RANKING, ledger.watermark(SOURCE_MARK) or "")
    owners = DeliveryOwners(clock, ledger.watermark(OWNERS_MARK))
    deliveries = DeliveryCounter(board, owners, clock, max_domains=settings.max_domains)
    port = urlsplit(settings.url).port or 0
    own = None if settings.count_own_requests else OwnLines(connection.account, port)
    queue = QueueJob(board, max_messages=settings.max_queue_messages, interval_seconds=every.queue)
    native = NativeJob(board, ledger, choice, interval_seconds=every.native)
    stored = StoredJob(board, ledger, choice, clock=clock)
    return [
        ("queue", queue, every.queue, Capability.QUEUE),
        ("native", native, every.native, Capability.NATIVE_METRICS),
        ("traces", TraceJob(ledger, owners, deliveries, clock=clock), every.traces, Capability.TRACES),
        ("logs", LogJob(board, ledger, owners, deliveries, own=own), every.logs, Capability.LOGS),
        ("metrics", stored, every.metrics, Capability.STORED_METRICS),
        ("outgoing", OutgoingJob(board, interval_seconds=every.outgoing), every.outgoing, Capability.OUTGOING_REPORTS),
        ("failed", FailedJob(board, interval_seconds=every.failed), every.failed, None),
    ]
