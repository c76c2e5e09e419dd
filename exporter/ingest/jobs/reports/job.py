"""
Stores the reports that the server has received, each once, the oldest first.

The rows of one response, their increments and the server's ids are saved in one transaction, so that a crash repeats at
most one fetch. A report that cannot be read is stored as unreadable and counted, and does not block others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.errors import (
    HistoryUnavailable,
    PayloadError,
    PayloadTooLarge,
    StoreError,
    TargetError,
    TargetServerError,
    TargetTimeout,
)
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.report_counter import ReportCounter
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.ingest.jobs.reports.gauges import make_gauges
from exporter.ingest.jobs.reports.inbox import Inbox
from exporter.ingest.jobs.reports.sources import SourceWatch
from exporter.model.incoming_reports import Incoming, UnreadableReport
from exporter.model.report_words import ReportKind
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.http.throttle import Throttle
from exporter.state.board import ServerBoard
from exporter.state.report_gauges import ReportGaugeBoard
from exporter.state.tally import Increments
from exporter.store.reports.store import ReportHistory, seen_source
from exporter.store.store import SeenIds

log = structlog.get_logger("exporter.reports")

PAGE = 1000
"""Ids per request; the server only reads keys for them."""

MAX_PAGES = 500

FAILURES_IN_A_ROW = 3
"""This many consecutive reports that cannot be fetched indicate a problem of the server, not of the reports."""

BACKFILL = 50
"""Backfills of at least this many reports are logged."""

TELL_SECONDS = 60.0

SHARE = (6, 11)
"""Our share of the server's request budget: 30 of 55 requests per minute."""

FORGET_AFTER = timedelta(days=2)
"""How long an id is kept that the server no longer lists, in case a shifted page has hidden it."""


class ReportJob:
    """
    Fetches and stores the reports of one server.

    A run ends when nothing is left or its interval is over; a long backfill takes several consecutive runs.
    """

    def __init__(
        self,
        board: ServerBoard,
        ledger: Ledger,
        history: ReportHistory,
        gauges: ReportGaugeBoard,
        *,
        clock: Clock,
        interval_seconds: float,
        max_requests_per_minute: int,
        max_domains: int,
    ) -> None:
        self._board = board
        self._ledger = ledger
        self._history = history
        self._gauges = gauges
        self._clock = clock
        self._interval = interval_seconds
        self._max_domains = max_domains
        share = max(1, max_requests_per_minute * SHARE[0] // SHARE[1])
        self._throttle = Throttle(clock=clock, requests=share)
        self._counter = ReportCounter(board, clock, max_domains=max_domains)
        self._inboxes = [ledger.restore(seen_source(kind), partial(Inbox, kind)) or Inbox(kind) for kind in ReportKind]
        dmarc = next(inbox for inbox in self._inboxes if inbox.kind is ReportKind.DMARC)
        self._sources = SourceWatch(history, ledger, has_read_all=dmarc.complete)
        self._backfilling = False
        self._told_at = clock.monotonic()
        self._forgotten_at: dict[ReportKind, float] = {}

    async def __call__(self, client: StalwartClient) -> None:
        """Run once."""
        until = self._clock.monotonic() + self._interval
        try:
            await self._sources.learn()
            trouble = await self._look(client)
            await self._show()
            trouble = await self._take_in(client, until) or trouble
            await self._show()
        except StoreError as error:
            raise HistoryUnavailable(f"the history cannot store reports now: {error}") from error
        if trouble is not None:
            raise trouble

    async def _look(self, client: StalwartClient) -> TargetError | None:
        """List the ids of each kind that has nothing left to fetch; a failure of one kind does not stop the other."""
        trouble: TargetError | None = None
        for inbox in self._inboxes:
            if inbox.left:
                continue
            try:
                await self._walk(client, inbox)
            except (PayloadError, TargetServerError) as error:
                trouble = error
        if self._left() >= BACKFILL and not self._backfilling:
            self._backfilling = True
            self._tell("reports.backfill_started")
        return trouble

    async def _walk(self, client: StalwartClient, inbox: Inbox) -> None:
        now = self._clock.now()
        whole = inbox.must_walk_to_the_end(now)
        listed: dict[str, None] = {}
        unknown: list[str] = []
        to_the_end = False
        for page in range(1, MAX_PAGES + 1):
            await self._throttle.wait()
            answer = await client.fetch_report_ids(inbox.kind, page=page, limit=PAGE)
            fresh = [id_ for id_ in answer.ids if id_ not in listed]
            listed.update(dict.fromkeys(fresh))
            unseen = await self._history.unseen(inbox.kind, fresh)
            unknown.extend(unseen)
            to_the_end = answer.last or not fresh
            if to_the_end or not (unseen or whole):
                break
        inbox.walked(unknown, listed, to_the_end=to_the_end, now=now)
        if to_the_end:
            await self._forget(inbox.kind, listed)
        await self._settle(inbox)

    async def _settle(self, inbox: Inbox) -> None:
        """Save that the inbox is complete, once it is; its counters then exist even if they are zero."""
        increments: Increments = {}
        self._counter.start(inbox.kind, increments)
        settled = inbox.settle()
        if settled or increments:
            mark = self._sources_mark(inbox)
            await self._ledger.record(increments, {seen_source(inbox.kind): inbox.to_state(), **mark})
            self._sources.saved(mark)

    def _sources_mark(self, inbox: Inbox) -> Mapping[str, Any]:
        return self._sources.mark(has_read_all=inbox.kind is ReportKind.DMARC and inbox.complete)

    async def _forget(self, kind: ReportKind, listed: Sequence[str] | dict[str, None]) -> None:
        """Delete recorded ids that the server no longer lists, once per day."""
        now = self._clock.monotonic()
        if now - self._forgotten_at.get(kind, float("-inf")) < FORGET_AFTER.total_seconds() / 2:
            return
        self._forgotten_at[kind] = now
        await self._history.forget_seen(kind, listed, before=self._clock.now() - FORGET_AFTER)

    async def _take_in(self, client: StalwartClient, until: float) -> TargetError | None:
        """Fetch pending reports until *until*, alternating between kinds; return the last error of a single report."""
        trouble: TargetError | None = None
        in_a_row = 0
        while self._left() and self._clock.monotonic() < until and in_a_row < FAILURES_IN_A_ROW:
            for inbox in [inbox for inbox in self._inboxes if inbox.left]:
                error = await self._take_some(client, inbox)
                in_a_row = in_a_row + 1 if error is not None else 0
                trouble = error or trouble
            await self._tell_now_and_then()
        if self._backfilling and not self._left():
            self._backfilling = False
            self._tell("reports.backfill_finished")
        return trouble

    async def _take_some(self, client: StalwartClient, inbox: Inbox) -> TargetError | None:
        """Fetch and store the next reports; return the error if a single report failed."""
        ids = inbox.take(client.reports_at_once)
        try:
            return await self._take(client, inbox, ids)
        except (StoreError, asyncio.CancelledError):
            inbox.put_back(ids)
            raise

    async def _take(self, client: StalwartClient, inbox: Inbox, ids: Sequence[str]) -> TargetError | None:
        trouble: TargetError | None = None
        reports: Sequence[Incoming]
        try:
            await self._throttle.wait()
            reports = await client.fetch_reports(inbox.kind, ids)
        except (PayloadError, TargetServerError, TargetTimeout) as error:
            if len(ids) > 1:
                inbox.take_apart(ids)
                return None
            if not isinstance(error, PayloadTooLarge):
                trouble = error
                if not inbox.strike(ids[0]):
                    return trouble
            reports = [self._set_aside(inbox.kind, ids[0], error)]
        except TargetError:
            inbox.put_off(ids)
            raise
        inbox.had()
        for gone in set(ids) - {report.source_id for report in reports}:
            inbox.gone(gone)
        if reports:
            await self._record(inbox, reports)
        else:
            await self._settle(inbox)
        return trouble

    def _set_aside(self, kind: ReportKind, id_: str, error: TargetError) -> UnreadableReport:
        return UnreadableReport(
            kind=kind, source_id=id_, received_at=self._clock.now(), raw=b"", reason=f"cannot be fetched: {error}"
        )

    async def _record(self, inbox: Inbox, reports: Sequence[Incoming]) -> None:
        """Save rows, increments, the server's ids and the inbox state in one transaction."""
        now = self._clock.now()
        judged = await self._history.judge(reports)
        increments: Increments = {}
        for report in judged.counted():
            self._counter.count(report, increments)
        sources = await self._sources.look(judged)
        self._counter.count_sources(sources.new, increments)
        for report in reports:
            inbox.accounted_for(report.source_id)
        self._counter.keep_in_range(increments)
        inbox.settle()
        source = seen_source(inbox.kind)
        seen = SeenIds(source=source, added=[(report.source_id, int(now.timestamp())) for report in reports])
        rows, mark = self._history.writer(judged, now=now, sources=sources), self._sources_mark(inbox)
        await self._ledger.record(increments, {source: inbox.to_state(), **mark}, [seen], rows=rows)
        self._sources.saved(mark)
        for place, report in enumerate(reports):
            self._tell_of(report, new=place in judged.new)

    def _tell_of(self, report: Incoming, *, new: bool) -> None:
        if isinstance(report, UnreadableReport):
            log.warning(
                "reports.rejected",
                server=self._board.name,
                kind=report.kind.value,
                id=report.source_id,
                reason=report.reason,
            )
        elif new:
            self._board.count_unknown(report.unknown)

    def _left(self) -> int:
        return sum(inbox.left for inbox in self._inboxes)

    async def _tell_now_and_then(self) -> None:
        if self._clock.monotonic() - self._told_at < TELL_SECONDS:
            return
        if self._backfilling:
            self._tell("reports.backfill_progressed")
        self._told_at = self._clock.monotonic()
        await self._show()

    def _tell(self, event: str) -> None:
        self._told_at = self._clock.monotonic()
        total = sum(inbox.total for inbox in self._inboxes)
        log.info(event, server=self._board.name, total=total, left=self._left())

    async def _show(self) -> None:
        """Publish the current sums of the history."""
        made = await make_gauges(self._history, now=self._clock.now(), most=self._max_domains)
        self._gauges.publish(made.gauges, fresh_seconds=fresh_seconds(self._interval))
        for family, dropped in made.dropped.items():
            self._board.dropped[family] += dropped
