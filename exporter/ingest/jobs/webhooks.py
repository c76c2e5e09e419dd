"""
The posts of a server's webhook, counted event by event.

A post was stored and answered before; it is counted here, in the order of arrival and in slices. Each slice is one
transaction with the tallies, and records how many of its new events are counted; the last one removes the body.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import structlog

from exporter.clock import Clock, unix_second
from exporter.errors import PayloadError, TargetError
from exporter.ingest.counting.deliveries import OWNERS_MARK, WEBHOOK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.repeats.posted_runs import Batch, PostedRuns, batch_of
from exporter.ingest.counting.repeats.shared_outcomes import SharedOutcomes
from exporter.ingest.counting.trail.recorder import TrailRecorder
from exporter.ingest.jobs.log_state import LOG_MARK
from exporter.ingest.jobs.webhook_feed import WebhookFeed
from exporter.ingest.loops.guard import catching_bugs
from exporter.model.webhook import PostedEvent
from exporter.stalwart.events.outcomes import PUT_OFF
from exporter.stalwart.events.tracker import AttemptTracker, Decision
from exporter.stalwart.webhooks.events import STARTUP, EventReader, in_order, is_wanted, parse_second
from exporter.stalwart.webhooks.wire import EventSplitter, WireEvent
from exporter.state.board import Part, ServerBoard
from exporter.state.health import CollectorHealth
from exporter.state.tally import Increments
from exporter.store.store import RowWriter
from exporter.store.webhooks.inbox import PendingBody, StoredRun, WebhookInbox

log = structlog.get_logger("exporter.webhooks")

WEBHOOK_MARK = "webhook"
COLLECTOR = "webhooks"

WINDOW_EVENTS, WINDOW_PIECES = 10_000, 64
"""Events that are sorted together, and pieces of the body that they are from; more are only in a long backlog."""

SLICE_EVENTS = 500
"""Events per transaction."""

EVENTS_AT_ONCE = 100
"""Events counted before the job yields to other tasks."""

IDLE_SECONDS = 10.0
"""How often the job looks for deferrals that have waited long enough, while nothing is posted."""

LATEST_SECOND = 0xFFFFFFFF


class WebhookJob:
    """Counts the stored posts of one server."""

    def __init__(
        self,
        board: ServerBoard,
        ledger: Ledger,
        owners: DeliveryOwners,
        deliveries: DeliveryCounter,
        shared: SharedOutcomes,
        inbox: WebhookInbox,
        feed: WebhookFeed,
        *,
        clock: Clock,
        reraise_bugs: bool = False,
    ) -> None:
        self._board = board
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._shared = shared
        self._inbox = inbox
        self._feed = feed
        self._clock = clock
        self._reraise_bugs = reraise_bugs
        self._runs: PostedRuns | None = None
        self._noted = 0
        self._held_since: Mapping[Any, float] = {}
        self._health = CollectorHealth(name=COLLECTOR, interval_seconds=IDLE_SECONDS)
        board.collectors[COLLECTOR] = self._health

    async def run(self) -> NoReturn:
        """Count what arrives until cancelled."""
        is_idle = False
        while True:
            await self.run_once(is_idle=is_idle)
            is_idle = not await self._feed.wait(IDLE_SECONDS)

    async def run_once(self, *, is_idle: bool = False) -> None:
        """Count all stored posts, and keep the health; *is_idle*: nothing was posted for `IDLE_SECONDS`."""
        name = self._board.name
        try:
            await catching_bugs(self._count_all(is_idle), server=name, task=COLLECTOR, reraise=self._reraise_bugs)
        except TargetError as error:
            if self._health.failed(error):
                log.warning("webhook.failed", server=name, reason=error.reason, error=str(error))
        else:
            self._health.succeeded(self._clock.now())
        self._board.touch(Part.HEALTH)

    async def _count_all(self, is_idle: bool) -> None:
        if self._runs is None:
            stored = await self._inbox.runs()
            self._runs = PostedRuns(
                batch_of(run.body, run.at, run.digests, run.seconds, answered=run.answered) for run in stored
            )
        if self._owners.vacant:
            self._owners.take_over(WEBHOOK)
        while (body := await self._inbox.next_body()) is not None:
            await self._count_post(self._runs, body)
            await self._measure()
        await self._settle(is_idle)
        await self._measure()

    async def _measure(self) -> None:
        await self._inbox.load()
        self._feed.show_pending(self._inbox.pending_posts, self._inbox.pending_bytes)

    async def _count_post(self, runs: PostedRuns, body: PendingBody) -> None:
        """Count what is new in a post, from the event on at which an earlier run stopped."""
        post, is_whole = await self._survey(body)
        for number in self._feed.take_answered():
            runs.answered(number)
            post.answered = post.answered or number == post.body
        repeated, gone = await asyncio.to_thread(runs.repeated, post)
        if not body.done and body.body != self._noted:
            self._noted = body.body
            self._note_post(post, sum(repeated), is_whole=is_whole)
        passed, part = 0, list[WireEvent]()
        async for window in self._windows(body, repeated):
            for at in range(0, len(window), SLICE_EVENTS):
                if part:
                    await self._count(part, self._inbox.progress(body.body, passed))
                counted_before = max(0, body.done - passed)
                passed += len(window[at : at + SLICE_EVENTS])
                part = list(window[at : at + SLICE_EVENTS][counted_before:])
        run = StoredRun(post.body, post.at, post.answered, post.digests, post.seconds.tobytes())
        answered = [batch.body for batch in runs.batches if batch.answered]
        await self._count(part, self._inbox.finished(body.body, run, gone, answered))
        runs.add(post, gone)

    async def _windows(self, body: PendingBody, repeated: bytearray) -> AsyncIterator[Sequence[WireEvent]]:
        """Yield the new events that matter, each window in the order in which they happened."""
        window: list[WireEvent] = []
        number = pieces = 0
        async for events in self._events(body):
            pieces += 1
            for event in events[: len(repeated) - number]:
                if not repeated[number] and is_wanted(event.type):
                    window.append(event)
                number += 1
            if len(window) >= WINDOW_EVENTS or pieces >= WINDOW_PIECES:
                yield await asyncio.to_thread(in_order, window)
                window, pieces = [], 0
        yield await asyncio.to_thread(in_order, window)

    async def _survey(self, body: PendingBody) -> tuple[Batch, bool]:
        """Read a post's checksums and times; also return whether it could be read to its end."""
        digests, seconds = bytearray(), array("I")
        problem: list[PayloadError] = []
        async for events in self._events(body, problem):
            for event in events:
                digests += event.digest()
                at = parse_second(event.created_at)
                seconds.append(0 if at is None else max(0, min(unix_second(at), LATEST_SECOND)))
                self._feed.saw_type(event.type)
        if problem:
            log.warning("webhook.read_failed", server=self._board.name, error=str(problem[0]))
        return Batch(body.body, body.at, bytes(digests), seconds), not problem

    async def _events(
        self, body: PendingBody, problem: list[PayloadError] | None = None
    ) -> AsyncIterator[Sequence[WireEvent]]:
        """Yield the events of a body, up to what cannot be read: that is added to *problem*."""
        splitter, number = EventSplitter(), 0
        try:
            while (chunk := await self._inbox.chunk(body.body, number)) is not None:
                number += 1
                for events in splitter.feed(chunk):
                    yield events
                    await asyncio.sleep(0)
            yield splitter.finish()
        except PayloadError as error:
            if problem is not None:
                problem.append(error)

    def _note_post(self, post: Batch, repeated: int, *, is_whole: bool) -> None:
        """Record a post that is counted for the first time."""
        known = [second for second in post.seconds if second]
        if self._feed.counted(len(post), repeated, post.at, is_whole=is_whole):
            self._shared.hole(min(known, default=0))
        if known:
            self._shared.posted(min(known), max(known))

    async def _settle(self, is_idle: bool) -> None:
        """Count the deferrals that have waited long enough, and end sessions and what waited for its attempt."""
        state = self._ledger.watermark(WEBHOOK_MARK)
        sessions = ((state or {}).get("trail") or {}).get("sessions")
        if state is not None and (state["attempts"] or sessions or (is_idle and state["reader"]["held"])):
            await self._count([], None, is_idle=is_idle)
        elif self._feed.is_unsaved:
            await self._ledger.record({}, self._feed.marks())

    async def _count(self, events: Sequence[WireEvent], rows: RowWriter | None, *, is_idle: bool = False) -> None:
        """Count *events*, and write *rows* in the same transaction."""
        state = self._ledger.watermark(WEBHOOK_MARK) or {"attempts": (), "strays": (), "reader": None}
        tracker = AttemptTracker.from_state(state["attempts"], self._clock.monotonic, self._held_since, state["strays"])
        reader, trail = EventReader(state["reader"]), self._deliveries.recorder(WEBHOOK, state.get("trail"))
        increments: Increments = {}
        async with self._shared.counting():
            decisions = await self._decide(reader.read(events, is_last=is_idle), tracker, trail)
            await asyncio.sleep(0)
            counted = self._shared.take_posted(self._usable(decisions), self._owners)
            self._deliveries.count(WEBHOOK, [one.outcome for one in counted], increments, trail)
            self._deliveries.end_sessions(trail)
            kept = trail.take()
            await asyncio.sleep(0)
            if rows is None and not counted and not len(kept):
                return
            if reader.unreadable:
                self._board.count_unknown({"webhook_event": reader.unreadable})
            attempts = {"attempts": tracker.to_state(), "strays": tracker.strays.to_state()}
            marks = {
                WEBHOOK_MARK: {**attempts, "reader": reader.to_state(), "trail": trail.to_state()},
                OWNERS_MARK: self._owners.to_state(),
                **self._feed.marks(),
                **self._shared.marks(),
            }
            await self._ledger.record(increments, marks, self._shared.rows(WEBHOOK), rows=rows, trail=kept)
        self._held_since = tracker.held_since()

    async def _decide(
        self, events: Iterable[PostedEvent], tracker: AttemptTracker, trail: TrailRecorder
    ) -> list[Decision]:
        decisions: list[Decision] = []
        for number, event in enumerate(events):
            if number % EVENTS_AT_ONCE == EVENTS_AT_ONCE - 1:
                await asyncio.sleep(0)
            if event.event_id == STARTUP:
                self._feed.server_started()
                self._shared.hole(unix_second(event.at))
            if event.version:
                self._board.learn_version(event.version)
            if event.trail is not None:
                trail.feed(event.trail)
            if event.delivery is not None:
                decisions += tracker.feed(event.delivery)
        return [*decisions, *tracker.take_overdue(self._shared.posted_until)]

    def _usable(self, decisions: Sequence[Decision]) -> Sequence[Decision]:
        """
        Return the *decisions* that name their recipient.

        Up to v0.11.6 they name all recipients of the attempt instead, so the log is better if it is available.
        """
        if self._ledger.watermark(LOG_MARK) is None:
            return decisions
        return [one for one in decisions if one.event.recipient or one.event.event_id == PUT_OFF]
