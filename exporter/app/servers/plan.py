"""What runs for one server: its collectors in the order of their first runs, and its live streams."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from exporter.app.servers.connection import ServerConnection
from exporter.app.servers.saved import Saved
from exporter.clock import Clock
from exporter.ingest.counting.deliveries import OWNERS_MARK, WEBHOOK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import LIVE_MARK, Reconciler
from exporter.ingest.counting.repeats.shared_outcomes import SharedOutcomes
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.counting.trail.recorder import TrailPolicy
from exporter.ingest.counting.trail.senders import SendersJob
from exporter.ingest.jobs.inventory.accounts import AccountsJob
from exporter.ingest.jobs.inventory.job import InventoryJob
from exporter.ingest.jobs.inventory.settings import SettingsJob
from exporter.ingest.jobs.live_metrics import LiveMetrics
from exporter.ingest.jobs.live_traces import LiveTraces
from exporter.ingest.jobs.log_state import LOG_MARK, counted_until
from exporter.ingest.jobs.logs import LogJob, OwnLines
from exporter.ingest.jobs.queue import FailedJob, OutgoingJob, QueueJob, fresh_seconds
from exporter.ingest.jobs.reports.readiness import ReadinessJob
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
from exporter.ingest.jobs.version import VersionJob
from exporter.ingest.loops.feed import Feed
from exporter.ingest.loops.poller import Job, Poller
from exporter.ingest.loops.session import RECHECK_SECONDS, Session
from exporter.model.server import Capability
from exporter.settings import ServerSettings, TrailSettings
from exporter.settings.servers.collectors import CollectorSettings
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.store.reader import HistoryReader
from exporter.store.store import Store
from exporter.store.trail.masking import Addresses, AddressMask
from exporter.store.webhooks.summary import SHARED_MARK

SPREAD_SECONDS = 10.0
"""First runs are spread over this time, or over the shortest interval if that is shorter."""

SILENT = ("native", "failed", "inventory", "accounts", "settings", "senders", "readiness")
"""Collectors that do not use the management API, not in every run, or only for what is optional."""

READ_SECONDS = 120.0
"""Deadline for judging one domain by the history."""

FREE = ("failed", "senders", "readiness")
"""Collectors that make no request, so that retrying them costs the server nothing."""


@dataclass(frozen=True, slots=True)
class Counting:
    """What the sources of one server's counters share."""

    choice: SourceChoice
    totals: TotalsCounter
    owners: DeliveryOwners
    deliveries: DeliveryCounter
    reconciler: Reconciler | None
    shared: SharedOutcomes | None

    @classmethod
    def begin(
        cls, settings: ServerSettings, saved: Saved, trail: TrailSettings, *, streams: bool, clock: ServerClock
    ) -> Counting:
        """Restore the saved state."""
        mask = AddressMask(Addresses(trail.addresses), saved.trail_secret)
        policy = TrailPolicy(mask) if trail.enabled else None
        board, ledger = saved.board, saved.ledger
        choice = SourceChoice(
            RANKING, ledger.restore(SOURCE_MARK, _source) or "", ledger.restore(COUNTERS_MARK, _source)
        )
        owners = ledger.restore(OWNERS_MARK, lambda state: DeliveryOwners(clock, state)) or DeliveryOwners(clock)
        if not streams:
            choice.out(LIVE)
            owners.give_up(LIVE)
        has_webhook, was_shared = settings.webhook.key is not None, ledger.watermark(SHARED_MARK) is not None
        if not has_webhook:
            owners.give_up(WEBHOOK)
        elif not was_shared:
            saved.shared.begin(ledger.restore(LOG_MARK, counted_until))
        return cls(
            choice,
            TotalsCounter(board, ledger, choice),
            owners,
            DeliveryCounter(
                board,
                owners,
                clock,
                max_domains=settings.max_domains,
                trail=policy,
                relay_host=settings.relay.host or "",
            ),
            saved.reconciler if streams or ledger.watermark(LIVE_MARK) is not None else None,
            saved.shared if has_webhook or was_shared else None,
        )


def _source(state: Any) -> str:
    """Return a saved source; raises ``ValueError`` if there is none of this name."""
    if state not in ("", *RANKING):
        raise ValueError("no such source")
    return str(state)


def feeds_of(board: ServerBoard, ledger: Ledger, counting: Counting, clock: ServerClock) -> Sequence[Feed]:
    """Return the feeds that count the live streams."""
    feeds: list[Feed] = [LiveMetrics(board, counting.totals, counting.choice)]
    if counting.reconciler is not None:
        feeds.append(LiveTraces(board, ledger, counting.owners, counting.deliveries, counting.reconciler, clock=clock))
    return feeds


Plan = list[tuple[str, Job, float, Capability | None]]


def pollers_of(
    plan: Plan, session: Session, *, clock: Clock, rng: random.Random, reraise_bugs: bool
) -> Sequence[Poller]:
    """Return one poller per collector, with first runs spread over the shortest interval."""
    shortest = min((interval for _, _, interval, _ in plan), default=SPREAD_SECONDS)
    step = min(SPREAD_SECONDS, shortest) / max(1, len(plan))
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


def plan_of(
    settings: ServerSettings,
    board: ServerBoard,
    ledger: Ledger,
    connection: ServerConnection,
    counting: Counting,
) -> Plan:
    """Return the collectors of a server, in the order of their first runs."""
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
        shared=counting.shared,
        count_own=settings.count_own_requests,
        interval_seconds=every.logs,
    )
    queue = QueueJob(board, max_messages=settings.max_queue_messages, interval_seconds=every.queue)
    native = NativeJob(counting.totals, choice, interval_seconds=every.native)
    traces = TraceJob(ledger, owners, deliveries, clock=clock, reconciler=counting.reconciler)
    stored = StoredJob(board, ledger, choice, clock=clock)
    drift = SettingsJob(board, ledger, clock=clock, interval_seconds=every.settings)
    accounts = AccountsJob(board, ledger, clock=clock, interval_seconds=every.accounts)
    return [
        ("queue", queue, every.queue, Capability.QUEUE),
        ("native", native, every.native, Capability.NATIVE_METRICS),
        ("traces", traces, every.traces, Capability.TRACES),
        ("logs", VersionJob(board, ledger, logs), every.logs, Capability.LOGS),
        ("metrics", stored, every.metrics, Capability.STORED_METRICS),
        ("outgoing", OutgoingJob(board, interval_seconds=every.outgoing), every.outgoing, Capability.OUTGOING_REPORTS),
        ("failed", FailedJob(board, interval_seconds=every.failed), every.failed, None),
        ("inventory", InventoryJob(board, interval_seconds=every.inventory), every.inventory, None),
        ("accounts", accounts, every.accounts, Capability.ACCOUNTS),
        ("settings", drift, every.settings, Capability.SETTINGS),
    ]


def wanted_of(plan: Plan, collectors: CollectorSettings) -> Plan:
    """Return what is left of *plan* without the collectors that are switched off."""
    return [entry for entry in plan if collectors.wants(entry[0])]


def readers_of(
    settings: ServerSettings,
    trail: TrailSettings,
    board: ServerBoard,
    ledger: Ledger,
    store: Store,
    *,
    clock: ServerClock,
) -> Plan:
    """Return the collectors that read the history only."""
    every = settings.intervals.reports
    reader = HistoryReader(store.path, seconds=READ_SECONDS)
    fresh = fresh_seconds(every)
    readiness = ReadinessJob(board, reader, clock=clock, fresh_seconds=fresh, max_domains=settings.max_domains)
    return [
        ("readiness", readiness, every, None),
        *_senders_of(settings, trail, board, ledger, store, clock=clock),
    ]


def _senders_of(
    settings: ServerSettings,
    trail: TrailSettings,
    board: ServerBoard,
    ledger: Ledger,
    store: Store,
    *,
    clock: ServerClock,
) -> Plan:
    """Return the collector of senders; none without the trail, in whose transactions they are counted."""
    if not trail.enabled:
        return []
    every = settings.intervals.senders
    job = SendersJob(
        board, ledger, store, clock=clock, fresh_seconds=fresh_seconds(every), max_domains=settings.max_domains
    )
    return [("senders", job, every, None)]
