"""Stored traces of delivery attempts, each counted once; long ones appear late, under an early id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from exporter.clock import Clock
from exporter.errors import TargetForbidden, TargetUnsupported
from exporter.ingest.deliveries import OWNERS_MARK, TRACES, DeliveryCounter, DeliveryOwners
from exporter.ingest.ledger import Ledger
from exporter.model.delivery import Trace
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.delivery import AttemptFolder
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
    """Reads the traces that are new within the overlap window."""

    def __init__(self, ledger: Ledger, owners: DeliveryOwners, deliveries: DeliveryCounter, *, clock: Clock) -> None:
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._clock = clock
        self._seen: set[str] | None = None

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        if self._seen is None:
            self._seen = await self._ledger.seen(TRACES_MARK)
        last = self._last_poll()
        after = datetime.fromtimestamp(last - OVERLAP_SECONDS, UTC)
        now = max(last, int(self._clock.now().timestamp()))
        try:
            ids = await client.fetch_trace_ids(after=after)
        except (TargetUnsupported, TargetForbidden):
            self._owners.give_up(TRACES)
            raise
        new = [id_ for id_ in reversed(ids) if str(id_) not in self._seen]
        if self._ledger.watermark(TRACES_MARK) is None:
            await self._record(new, {}, polled_at=now)
            return
        todo = new[:MOST_A_POLL]
        for start in range(0, len(todo), BATCH):
            batch = todo[start : start + BATCH]
            await self._record(batch, self._count(await client.fetch_traces(batch)), polled_at=last)
        if len(todo) == len(new):
            await self._record([], {}, polled_at=now)
        self._seen &= {str(id_) for id_ in ids}

    def _count(self, traces: Sequence[Trace]) -> Increments:
        increments: Increments = {}
        for trace in traces:
            folder = AttemptFolder()
            for event in trace.events:
                self._deliveries.count(TRACES, folder.feed(event), increments)
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
        await self._ledger.record(increments, marks, [seen])
        if self._seen is not None:
            self._seen.update(map(str, ids))
