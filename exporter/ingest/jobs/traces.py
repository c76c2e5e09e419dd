"""
Stored traces of delivery attempts, each counted once; a long attempt appears late, under an old id.

If a live stream reports deliveries, only traces that it may have missed are read, and none are requested while it has
missed nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from exporter.errors import TargetForbidden, TargetUnsupported
from exporter.ingest.counting.deliveries import OWNERS_MARK, TRACES, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import UNREADABLE, Ledger
from exporter.ingest.counting.reconciliation import LIVE_MARK, Reconciler
from exporter.ingest.counting.trace_ids import OVERLAP_SECONDS, Reading, TraceMemory
from exporter.ingest.loops.session import RECHECK_SECONDS
from exporter.model.delivery import DeliveryOutcome, Trace
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.events.snowflakes import second_of
from exporter.stalwart.events.tracker import AttemptTracker, Decision
from exporter.stalwart.http.server_clock import STEP_SECONDS, ServerClock
from exporter.state.tally import Increments
from exporter.store.store import SeenIds
from exporter.store.trail.rows import TrailRows

log = structlog.get_logger("exporter.traces")

TRACES_MARK = "traces"
FIRST_LOOK_SECONDS = 4 * 86_400
"""How far back the newest trace is searched for at first contact, if the last hour has none."""

LOOKS = 3
BATCH = 50
MAX_A_POLL = 1000
"""Traces fetched per poll; the rest waits for the next one, so that a poll does not run for minutes."""


def _checked_mark(state: Any) -> Mapping[str, int]:
    """Return a saved watermark; raises an exception of `UNREADABLE` if it cannot be used."""
    int(state["newest"] if "newest" in state else state["polled_at"])
    return {name: int(state[name]) for name in state}


class TraceJob:
    """Reads the new traces within the overlap window; with a *reconciler* only those that it needs."""

    def __init__(
        self,
        ledger: Ledger,
        owners: DeliveryOwners,
        deliveries: DeliveryCounter,
        *,
        clock: ServerClock,
        reconciler: Reconciler | None = None,
    ) -> None:
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._clock = clock
        self._reconciler = reconciler
        self._memory = TraceMemory((), monotonic=0.0)
        self._is_loaded = False
        self._held_since: float | None = None
        self._asked_at: float | None = None

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        began = self._clock.monotonic()
        if not self._is_loaded:
            self._memory = await self._remembered(began)
            self._is_loaded = True
        if not self._is_needed():
            return
        is_first = self._ledger.restore(TRACES_MARK, _checked_mark) is None
        try:
            reading, ids = await (self._first_look(client) if is_first else self._look(client))
        except (TargetUnsupported, TargetForbidden):
            self._owners.give_up(TRACES)
            if self._reconciler is not None:
                self._reconciler.coverage.no_store()
            raise
        unseen = [id_ for id_ in reversed(ids) if id_ not in self._memory]
        new, old = self._split_first(unseen) if is_first else reading.split(unseen)
        if old:
            await self._record(old, {}, mark=self._mark(reading.newest) if is_first else None)
        todo = [id_ for id_ in new if self._wants(id_)]
        if await self._count_all(client, todo[:MAX_A_POLL]) == len(todo):
            gone = self._memory.forget(ids, monotonic=began)
            await self._record([], {}, mark=self._next_mark(reading, ids), removed=gone)
            self._read_all(began)

    async def _remembered(self, monotonic: float) -> TraceMemory:
        ids = await self._ledger.seen(TRACES_MARK)
        try:
            return TraceMemory(ids, monotonic=monotonic)
        except UNREADABLE as error:
            self._ledger.note_unreadable(TRACES_MARK, error)
            return TraceMemory(filter(str.isdecimal, ids), monotonic=monotonic)

    async def _first_look(self, client: StalwartClient) -> tuple[Reading, Sequence[int]]:
        """List the traces at first contact; the newest sets the watermark, regardless of the clocks."""
        now = int(self._clock.now().timestamp())
        for back in (OVERLAP_SECONDS, FIRST_LOOK_SECONDS):
            ids = await client.fetch_trace_ids(after=datetime.fromtimestamp(now - back, UTC))
            if ids:
                break
        reading = Reading(newest=0, held=0, now=self._clock.known_second(), since_last=0)
        newest = reading.next_newest(ids) or now - back
        return replace(reading, newest=newest, held=newest), ids

    async def _look(self, client: StalwartClient) -> tuple[Reading, Sequence[int]]:
        """List the traces, and again if the response shows that the server's clock was set back."""
        reading = self._reading()
        for _ in range(LOOKS):
            after = self._after(reading)
            ids = await client.fetch_trace_ids(after=datetime.fromtimestamp(after, UTC))
            reading = self._reading()
            if self._after(reading) >= after - STEP_SECONDS:
                break
        return reading, ids

    def _reading(self) -> Reading:
        mark, now = self._ledger.watermark(TRACES_MARK) or {}, self._clock.known_second()
        newest = mark.get("newest")
        if newest is None:  # Written before the server's clock was followed.
            newest = mark["polled_at"] if now is None else min(mark["polled_at"], now)
        if self._asked_at is not None:
            since_last = self._clock.monotonic() - self._asked_at
        else:
            since_last = max(0.0, self._clock.ours().timestamp() - mark.get("at", 0))
        return Reading(newest=newest, held=mark.get("held", newest), now=now, since_last=int(since_last))

    def _next_mark(self, reading: Reading, ids: Sequence[int]) -> Mapping[str, int]:
        newest = reading.next_newest(ids)
        held = reading.next_held(newest)
        if held >= newest:
            self._held_since = None
            return self._mark(newest)
        if self._held_since is None or held != reading.held:
            self._held_since = self._clock.monotonic()
        is_over = self._clock.monotonic() - self._held_since > OVERLAP_SECONDS
        return self._mark(newest) if is_over else {**self._mark(newest), "held": held}

    def _mark(self, newest: int) -> Mapping[str, int]:
        return {"newest": newest, "at": int(self._clock.ours().timestamp())}

    def _split_first(self, ids: Sequence[int]) -> tuple[list[int], list[int]]:
        """Split the ids at first contact into those to count, which began after the stream did, and history."""
        return [id_ for id_ in ids if not self._is_history(id_)], [id_ for id_ in ids if self._is_history(id_)]

    async def _count_all(self, client: StalwartClient, ids: Sequence[int]) -> int:
        """Read and count the traces of *ids*; return their number."""
        for start in range(0, len(ids), BATCH):
            batch = ids[start : start + BATCH]
            await self._record(batch, *self._count(await client.fetch_traces(batch)))
        return len(ids)

    def _read_all(self, began: float) -> None:
        self._asked_at = began
        if self._reconciler is not None:
            self._reconciler.coverage.read_all(began)

    def _is_history(self, id_: int) -> bool:
        """Return whether a trace at first contact is history: it began before the stream's first event."""
        since = 0 if self._reconciler is None else self._reconciler.coverage.since
        return not since or second_of(id_) < since

    def _is_needed(self) -> bool:
        """Return whether traces may be stored that the stream missed; they are also polled at regular intervals."""
        if self._reconciler is None or self._reconciler.coverage.asks or self._asked_at is None:
            return True
        return self._clock.monotonic() - self._asked_at >= RECHECK_SECONDS

    def _after(self, reading: Reading) -> int:
        """Return the time from which traces are listed, in Unix seconds."""
        since = None if self._reconciler is None else self._reconciler.coverage.missing_since
        return reading.after if since is None else max(reading.after, since - 1)

    def _wants(self, id_: int) -> bool:
        return self._reconciler is None or self._reconciler.wants(id_)

    def _count(self, traces: Sequence[Trace]) -> tuple[Increments, TrailRows]:
        increments: Increments = {}
        trail = self._deliveries.recorder(TRACES)
        for trace in traces:
            folder = AttemptTracker(one_attempt=True)
            for event in trace.events:
                self._deliveries.count(TRACES, self._new(folder.feed(event)), increments, trail)
            self._deliveries.count(TRACES, self._new(folder.finish()), increments, trail)
            for told in trace.trail:
                trail.feed(told)
        return increments, trail.take()

    def _new(self, decisions: Sequence[Decision]) -> Sequence[DeliveryOutcome]:
        """Return the outcomes that were not counted live."""
        if self._reconciler is None:
            return [decision.outcome for decision in decisions]
        take = self._reconciler.take_stored
        return [outcome for decision in decisions for outcome in take(decision.event, decision.outcome)]

    async def _record(
        self,
        ids: Sequence[int],
        increments: Increments,
        trail: TrailRows | None = None,
        mark: Mapping[str, int] | None = None,
        *,
        removed: Sequence[int] = (),
    ) -> None:
        self._owners.take_over(TRACES)
        seen = SeenIds(
            source=TRACES_MARK,
            added=[(str(id_), second_of(id_)) for id_ in ids],
            removed=[str(id_) for id_ in removed],
        )
        marks: Mapping[str, Any] = {
            OWNERS_MARK: self._owners.to_state(),
            **({TRACES_MARK: mark} if mark is not None else {}),
        }
        rows: Sequence[SeenIds] = ()
        if self._reconciler is not None:
            live = {LIVE_MARK: self._reconciler.to_state(self._deliveries.mask)}
            rows, marks = self._reconciler.take_rows(), {**marks, **live, **self._reconciler.marks()}
        await self._ledger.record(increments, marks, [seen, *rows], trail=trail)
        self._memory.add(ids, monotonic=self._clock.monotonic())
