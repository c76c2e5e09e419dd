"""Deliveries in real time, from the live stream of traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exporter.clock import unix_second
from exporter.ingest.counting.deliveries import LIVE, OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import LIVE_MARK, Reconciler
from exporter.ingest.loops.feed import Applied
from exporter.model.delivery import DeliveryOutcome
from exporter.model.live import Heartbeat, LiveBatch, LiveEvents, RepeatedEvents, StreamKind, UnreadableMessage
from exporter.stalwart.events.outcomes import ATTEMPT_END, ATTEMPT_START
from exporter.stalwart.events.tracker import Decision
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.tally import Increments
from exporter.store.trail.rows import TrailRows

PING_SECONDS = 30.0
SAVE_SECONDS = 30.0
"""How often the stream's position is saved while there are no deliveries."""

TRAIL_MARK = "live_trail"

SAVED_AT_ONCE = ("missed", "open", "withheld", "nameless", "put_off")
"""The parts of the state that are saved on every change."""


class LiveTraces:
    """The `Feed` of the stream of traces."""

    kind = StreamKind.TRACES
    heartbeat_seconds = PING_SECONDS

    def __init__(
        self,
        board: ServerBoard,
        ledger: Ledger,
        owners: DeliveryOwners,
        deliveries: DeliveryCounter,
        reconciler: Reconciler,
        *,
        clock: ServerClock,
    ) -> None:
        self._board = board
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._reconciler = reconciler
        self._clock = clock
        trail = ledger.restore(TRAIL_MARK, lambda state: deliveries.recorder(LIVE, state))
        self._trail = trail or deliveries.recorder(LIVE)
        self._saved_state: Any = None
        self._saved_at = clock.monotonic()

    async def connected(self) -> None:
        """Take over counting: the stream reports everything from now on."""
        self._owners.take_over(LIVE)
        self._reconciler.coverage.begin()
        await self._count(self._close_attempts())

    async def lost(self) -> None:
        """Record that the stream has ended."""
        self._reconciler.coverage.lose()
        await self._count(self._close_attempts())

    async def out(self, *, for_good: bool) -> None:
        """Record that the stream is unavailable; *for_good*: the server does not support it or forbids it."""
        if for_good:
            self._owners.give_up(LIVE)

    async def apply(self, batch: LiveBatch) -> Applied:
        """Count the outcomes of all messages of *batch* in one transaction."""
        outcomes: list[DeliveryOutcome] = []
        events, dropped, heartbeat = 0, batch.dropped, None
        for message in batch.messages:
            if isinstance(message, LiveEvents):
                events += message.received
                outcomes += self._new_outcomes(message)
            elif isinstance(message, Heartbeat):
                heartbeat = message.interval_seconds
            elif isinstance(message, RepeatedEvents):
                events += message.received
                dropped += message.received
            elif isinstance(message, UnreadableMessage):
                self._board.count_unknown({"live_trace": 1})
                outcomes += self._hole()
                dropped += 1
        if dropped:
            outcomes += self._hole()
        outcomes += self._take_late(self._reconciler.attempts.take_overdue())
        outcomes += self._reconciler.take_overdue()
        await self._count(outcomes)
        return Applied(events=events, dropped=dropped, heartbeat_seconds=heartbeat)

    def _new_outcomes(self, read: LiveEvents) -> Sequence[DeliveryOutcome]:
        """Process a message and return the outcomes to count for it."""
        coverage, attempts = self._reconciler.coverage, self._reconciler.attempts
        feed, take = attempts.feed, self._reconciler.take_live
        outcomes: list[DeliveryOutcome] = []
        if self._trail.enabled:
            for told in read.trail:
                self._trail.feed(told)
        for event in read.events:
            decisions = feed(event)
            event_id = event.event_id
            if event_id == ATTEMPT_END:
                attempt = (event.queue_id, event.queue_name)
                outcomes += self._take(decisions) if decisions else ()
                if not attempts.is_waiting(attempt):
                    coverage.ended(attempt)
            elif event_id == ATTEMPT_START:
                outcomes += self._take_late(decisions) if decisions else ()
                coverage.started((event.queue_id, event.queue_name), unix_second(event.at))
            elif decisions and decisions[0].event is event:
                for about, outcome, sure in decisions:
                    outcomes += take(about, outcome, is_explained=sure)
            elif decisions:
                outcomes += self._take_late(decisions)
        if read.newest_at:
            self._clock.learn_event(read.newest_at)
            coverage.saw(read.oldest_at, read.newest_at)
        return outcomes

    def _take(self, decisions: Sequence[Decision]) -> Sequence[DeliveryOutcome]:
        """Return the outcomes of *decisions* that are to be counted now."""
        take = self._reconciler.take_live
        return [one for event, outcome, sure in decisions for one in take(event, outcome, is_explained=sure)]

    def _take_late(self, decisions: Sequence[Decision]) -> Sequence[DeliveryOutcome]:
        """Do the same for attempts that have ended, or whose end is no longer awaited."""
        outcomes = self._take(decisions)
        for event, _, _ in decisions:
            self._reconciler.coverage.ended((event.queue_id, event.queue_name))
        return outcomes

    def _hole(self) -> Sequence[DeliveryOutcome]:
        """Record lost messages; attempts in progress are no longer complete."""
        self._reconciler.coverage.hole()
        return self._close_attempts()

    def _close_attempts(self) -> Sequence[DeliveryOutcome]:
        return self._take(self._reconciler.attempts.finish())

    async def _count(self, outcomes: Sequence[DeliveryOutcome]) -> None:
        increments: Increments = {}
        self._deliveries.count(LIVE, outcomes, increments, self._trail)
        self._deliveries.end_sessions(self._trail)
        await self._save(increments, self._trail.take())

    async def _save(self, increments: Increments, trail: TrailRows) -> None:
        """Save increments, the trail and the stream's position together."""
        rows = self._reconciler.take_rows()
        state = self._reconciler.to_state(self._deliveries.mask)
        changed = self._saved_state is None or any(state[what] != self._saved_state[what] for what in SAVED_AT_ONCE)
        due = self._clock.monotonic() - self._saved_at >= SAVE_SECONDS
        if not (increments or rows or trail or changed or due):
            return
        self._saved_state, self._saved_at = state, self._clock.monotonic()
        marks = {
            LIVE_MARK: state,
            TRAIL_MARK: self._trail.to_state(),
            OWNERS_MARK: self._owners.to_state(),
            **self._reconciler.marks(),
        }
        await self._ledger.record(increments, marks, rows, trail=trail)
