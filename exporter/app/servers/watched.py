"""One watched server with everything that belongs to it; nothing is shared between servers."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from functools import partial

from exporter.app.servers.checking import Checking, check_pollers
from exporter.app.servers.connection import ServerConnection
from exporter.app.servers.plan import Counting, Plan, feeds_of, plan_of, pollers_of, readers_of, wanted_of
from exporter.app.servers.probing import probe_pollers
from exporter.app.servers.saved import Saved
from exporter.app.servers.supervise import LongRun
from exporter.app.servers.webhook import Webhook, WebhookLimits, webhook_of
from exporter.clock import Clock
from exporter.collectors.accounts import AccountsSource
from exporter.collectors.exposition import Source
from exporter.collectors.health import CollectorsSource, IdentitySource
from exporter.collectors.inventory import InventorySource, SettingsSource
from exporter.collectors.posture.blocklists import BlocklistSource
from exporter.collectors.posture.domains import PostureSource
from exporter.collectors.posture.probes import ProbeSource
from exporter.collectors.posture.served import ServedSource
from exporter.collectors.queue import FailedSource, OutgoingSource, QueueSource
from exporter.collectors.reports import ReportSource
from exporter.collectors.senders import SenderSource
from exporter.collectors.telemetry import GaugeSource, RelaySource, TallySource
from exporter.collectors.webhooks import WebhookSource
from exporter.ingest.jobs.reports.job import ReportJob
from exporter.ingest.jobs.version import VersionSearch, kept_version
from exporter.ingest.jobs.webhooks import COLLECTOR
from exporter.ingest.loops.poller import Poller
from exporter.ingest.loops.session import Session
from exporter.ingest.loops.subscriber import Subscriber
from exporter.model.server import Capability
from exporter.settings import ServerSettings, TrailSettings
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.costs import ApiCosts
from exporter.state.report_gauges import ReportGaugeBoard
from exporter.store.reports.store import ReportHistory
from exporter.store.store import Store


class WatchedServer:
    """
    The runtime of one ``[[servers]]`` entry.

    Attributes:
        board: The state of the server.
        connection: Closed by the runtime's owner, or passed to the next runtime.
        webhook: ``None`` if none is configured.
        report_gauges: The latest sums of the server's reports.
        sources: The server's sources for the exposition.
    """

    def __init__(
        self,
        settings: ServerSettings,
        connection: ServerConnection,
        saved: Saved,
        session: Session,
        pollers: Sequence[Poller],
        subscribers: Sequence[Subscriber],
        report_gauges: ReportGaugeBoard,
        webhook: Webhook | None,
        *,
        clock: Clock,
    ) -> None:
        self.settings = settings
        self.connection = connection
        self.webhook = webhook
        self.report_gauges = report_gauges
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
            *([RelaySource(board, settings.relay.budget)] if settings.relay.host is not None else []),
            GaugeSource(board),
            AccountsSource(board, max_domains=settings.max_domains),
            InventorySource(board, max_domains=settings.max_domains),
            SettingsSource(board),
            ReportSource(board, report_gauges),
            SenderSource(board),
            PostureSource(board, max_domains=settings.max_domains),
            BlocklistSource(board, max_lists=settings.max_domains),
            ServedSource(board, max_hosts=settings.max_domains),
            *([ProbeSource(connection.probing.board)] if connection.probing is not None else []),
            CollectorsSource(board),
            WebhookSource(board),
        )

    @classmethod
    def assemble(
        cls,
        settings: ServerSettings,
        connection: ServerConnection,
        costs: ApiCosts,
        saved: Saved,
        store: Store,
        *,
        trail: TrailSettings,
        webhooks: WebhookLimits,
        checking: Checking | None = None,
        clock: Clock,
        rng: random.Random,
        reraise_bugs: bool = False,
    ) -> WatchedServer:
        """Build a server's parts, without checks if there is no *checking*; makes no request and starts nothing."""
        board, ledger = saved.board, saved.ledger
        board.costs = costs
        server_clock = connection.server_clock
        _show_skew(board, server_clock)
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
        counting = Counting.begin(settings, saved, trail, streams=connection.live is not None, clock=server_clock)
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
            *plan_of(settings, board, ledger, connection, counting),
            ("reports", reports, settings.intervals.reports, Capability.REPORTS),
            *readers_of(settings, trail, board, ledger, store, clock=server_clock),
        ]
        pollers = [
            *pollers_of(wanted_of(plan, settings.collectors), session, clock=clock, rng=rng, reraise_bugs=reraise_bugs),
            *check_pollers(checking, settings, session, store, clock=clock, rng=rng, reraise_bugs=reraise_bugs),
            *probe_pollers(connection.probing, settings, session, clock=clock, rng=rng, reraise_bugs=reraise_bugs),
        ]
        live = connection.live
        subscribers = [
            Subscriber(feed=feed, live=live, session=session, clock=clock, rng=rng, reraise_bugs=reraise_bugs)
            for feed in feeds_of(board, ledger, counting, server_clock)
            if live is not None
        ]
        webhook = webhook_of(settings, saved, counting, store, webhooks, clock=clock, reraise_bugs=reraise_bugs)
        return cls(settings, connection, saved, session, pollers, subscribers, report_gauges, webhook, clock=clock)

    def runs(self) -> Iterator[tuple[str, LongRun]]:
        """Yield the long-running tasks that watch the server, by collector name."""
        yield "detection", self._session.run
        yield "version", VersionSearch(self.board, self._saved.ledger, self._session, clock=self._clock).run
        yield from ((poller.name, poller.run) for poller in self._pollers)
        yield from ((subscriber.name, subscriber.run) for subscriber in self._subscribers)
        if self.webhook is not None:
            yield COLLECTOR, self.webhook.job.run

    async def retry(self) -> None:
        """Try again, even after refused credentials: an operator has reloaded."""
        self.connection.allow_retry()
        await self._session.retry()

    async def settle(self) -> None:
        """Wait for writes in progress, and retry what could not be saved; the tasks must have ended."""
        await self._saved.ledger.settle()

    def hand_over(self) -> Saved:
        """Return the state for the next runtime of this server; call `settle` first, and do not use this one again."""
        board = ServerBoard(self.board.name, self.board.tallies, monotonic=self._clock.monotonic)
        ledger = self._saved.ledger.moved_to(board)
        saved = self._saved
        return Saved(board, ledger, saved.reconciler, saved.trail_secret, saved.shared)


def _show_skew(board: ServerBoard, clock: ServerClock) -> None:
    """Show the difference between the clocks, now and whenever it is learned again."""
    clock.subscribe(board.show_clock)
    if clock.skew_seconds is not None:
        board.show_clock(clock.skew_seconds, clock.steps)
