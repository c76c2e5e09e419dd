"""
Stored traces of delivery attempts, each counted once; long ones appear late, under an early id.

Where a live stream tells of deliveries, only those traces are read that it may have missed, and none are asked for
while it has missed nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import structlog

from exporter.clock import Clock
from exporter.errors import TargetForbidden, TargetUnsupported
from exporter.ingest.deliveries import OWNERS_MARK, TRACES, DeliveryCounter, DeliveryOwners
from exporter.ingest.ledger import Ledger
from exporter.ingest.reconcile import Reconciler
from exporter.ingest.session import RECHECK_SECONDS
from exporter.model.delivery import DeliveryOutcome, Trace
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.delivery import AttemptFolder
from exporter.stalwart.snowflakes import second_of
from exporter.state.tally import Increments
from exporter.store.store import SeenIds

log = structlog.get_logger("exporter.traces")

TRACES_MARK = "traces"
OVERLAP_SECONDS = 3600
"""How late a trace may appear, counted from its beginning: longer than any delivery attempt takes."""

BATCH = 50
MOST_A_POLL = 1000
"""Traces fetched in one poll; the rest waits for the next, since a poll must not run for minutes."""


class TraceJob:
    """Reads the traces that are new within the overlap window; of those, what *reconciler* wants if there is one."""

    def __init__(
        self,
        ledger: Ledger,
        owners: DeliveryOwners,
        deliveries: DeliveryCounter,
        *,
        clock: Clock,
        reconciler: Reconciler | None = None,
    ) -> None:
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._clock = clock
        self._reconciler = reconciler
        self._seen: set[str] | None = None
        self._asked_at: float | None = None

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        if self._seen is None:
            self._seen = await self._ledger.seen(TRACES_MARK)
        if not self._is_needed():
            return
        began, last = self._clock.monotonic(), self._last_poll()
        after = self._after(last)
        now = max(last, int(self._clock.now().timestamp()))
        try:
            ids = await client.fetch_trace_ids(after=datetime.fromtimestamp(after, UTC))
        except (TargetUnsupported, TargetForbidden):
            self._owners.give_up(TRACES)
            if self._reconciler is not None:
                self._reconciler.coverage.no_store()
            raise
        new = [id_ for id_ in reversed(ids) if str(id_) not in self._seen and self._wants(id_)]
        if self._ledger.watermark(TRACES_MARK) is None:
            await self._record([id_ for id_ in new if self._is_history(id_)], {}, polled_at=now)
            new = [id_ for id_ in new if not self._is_history(id_)]
        todo = new[:MOST_A_POLL]
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            await self._record(batch, self._count(await client.fetch_traces(batch)), polled_at=last)
        if len(todo) == len(new):
            await self._record([], {}, polled_at=now)
            self._read_all(began)
        self._seen = {id_ for id_ in self._seen if second_of(int(id_)) >= after - OVERLAP_SECONDS}

    def _read_all(self, began: float) -> None:
        self._asked_at = began
        if self._reconciler is not None:
            self._reconciler.coverage.read_all(began)

    def _is_history(self, id_: int) -> bool:
        """Whether a trace that is there at first contact is none of ours: it began before the stream told of any."""
        since = 0 if self._reconciler is None else self._reconciler.coverage.since
        return not since or second_of(id_) < since

    def _is_needed(self) -> bool:
        """Whether something may be stored that was not told live; now and then the server is asked regardless."""
        if self._reconciler is None or self._reconciler.coverage.asks or self._asked_at is None:
            return True
        return self._clock.monotonic() - self._asked_at >= RECHECK_SECONDS

    def _after(self, last_poll: int) -> int:
        """From when on traces are listed, in Unix seconds."""
        since = None if self._reconciler is None else self._reconciler.coverage.missing_since
        return last_poll - OVERLAP_SECONDS if since is None else max(last_poll - OVERLAP_SECONDS, since - 1)

    def _wants(self, id_: int) -> bool:
        return self._reconciler is None or self._reconciler.wants(id_)

    def _count(self, traces: Sequence[Trace]) -> Increments:
        increments: Increments = {}
        for trace in traces:
            folder = AttemptFolder()
            for event in trace.events:
                outcomes: Iterable[DeliveryOutcome] = folder.feed(event)
                if self._reconciler is not None:
                    outcomes = [c for o in outcomes for c in self._reconciler.take_stored(event, o)]
                self._deliveries.count(TRACES, outcomes, increments)
        return increments

    def _last_poll(self) -> int:
        """When everything had been counted; after an outage of ours that is a while ago."""
        state = self._ledger.watermark(TRACES_MARK)
        return int(self._clock.now().timestamp()) if state is None else int(state["polled_at"])

    async def _record(self, ids: Sequence[int], increments: Increments, *, polled_at: int) -> None:
        self._owners.take_over(TRACES)
        seen = SeenIds(
            source=TRACES_MARK,
            added=[(str(id_), polled_at) for id_ in ids],
            forget_before=polled_at - 2 * OVERLAP_SECONDS,
        )
        marks = {TRACES_MARK: {"polled_at": polled_at}, OWNERS_MARK: self._owners.to_state()}
        rows = [] if self._reconciler is None else self._reconciler.take_rows()
        await self._ledger.record(increments, marks, [seen, *rows])
        if self._seen is not None:
            self._seen.update(map(str, ids))
