"""
The server's counters, gauges and histograms, from its live stream, its Prometheus endpoint or its stored metrics.

Tallies continue after a switch of source. The stream and the Prometheus endpoint report the same totals of the same
process, so one continues where the other stopped; what any other source recorded before the switch is not counted.

Counters switch separately from histograms and gauges: releases that expose counters under wrong names store them under
the right ones. On those, the stored metrics feed the counters and the stream or endpoint feeds everything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from datetime import datetime
from typing import Any

import structlog

from exporter.errors import TargetForbidden, TargetRefused, TargetUnsupported
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.sources import NO_CLAIM, SourceChoice
from exporter.ingest.counting.stored_samples import STORED_MARK, STORED_WINDOW_SECONDS, StoredBatch, StoredReading
from exporter.ingest.counting.totals import Baseline, check_range, increments_since, may_be_older, numbers_of, restarted
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.model.server import Capability, CapabilityStatus, Edition
from exporter.model.telemetry import ServerTotals, StoredSample
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.events.names import COUNTERS, ON_CALL_EVENTS, STORED_EVENTS
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import Increments, add

log = structlog.get_logger("exporter.telemetry")

LIVE, NATIVE, STORED = "live", "native", "stored"
RANKING = (LIVE, NATIVE, STORED)
TOTALS_SOURCES = (LIVE, NATIVE)
TOTALS_MARK = "totals"
SOURCE_MARK, COUNTERS_MARK = "metrics_source", "counters_source"

_COUNTED, _REST = "counters", "rest"
"""The two parts that choose their source separately."""

STORED_FRESH_SECONDS = 2 * 3600.0
"""Stored gauges are hourly."""


class TotalsCounter:
    """Counts the totals of a server's process, from the live stream or the Prometheus endpoint."""

    def __init__(self, board: ServerBoard, ledger: Ledger, choice: SourceChoice) -> None:
        self._board = board
        self._ledger = ledger
        self._choice = choice
        self._one_at_a_time = asyncio.Lock()
        self._rebase = self._rebase_counters = False
        self._doubtful = False

    async def apply(self, source: str, totals: ServerTotals, *, fresh_seconds: float) -> None:
        """
        Count the increases in *totals* if *source* is the current one, and publish its gauges.

        Raises `PayloadError` for a total that is out of range; nothing is counted then.
        """
        check_range(numbers_of(totals))
        async with self._one_at_a_time:
            if totals.counters_withheld:
                self._choice.withholds_counters(source)
            claim = self._choice.claim(source)
            if not claim.feeds:
                return
            if claim.switched_from:
                self._doubtful = claim.switched_from in TOTALS_SOURCES
                self._rebase = not self._doubtful
            counters = NO_CLAIM if totals.counters_withheld else self._choice.claim_counters(source)
            self._rebase_counters = self._rebase_counters or counters.switched_from == STORED
            reading = self._read(totals)
            if reading is None:
                return
            increments, baseline = reading
            if not counters.feeds:
                increments = _without_counters(increments)
            else:
                start_at_zero(increments, self._board)
            self._tell_of_counters(totals.counters_withheld)
            marks = {TOTALS_MARK: baseline.to_state(), SOURCE_MARK: source}
            await self._ledger.record(increments, {**marks, COUNTERS_MARK: self._choice.counters})
        self._board.show_source(self._choice.counters or source)
        self._board.count_unknown(totals.unknown)
        self._board.publish(Part.GAUGES, dict(totals.gauges), fresh_seconds=fresh_seconds)

    def _tell_of_counters(self, withheld: str) -> None:
        status = CapabilityStatus.UNSUPPORTED if withheld else CapabilityStatus.AVAILABLE
        if self._board.set_capability(Capability.EVENT_COUNTERS, status) and withheld:
            log.warning("counters.withheld", server=self._board.name, reason=withheld)

    def _read(self, totals: ServerTotals) -> tuple[Increments, Baseline] | None:
        """Return the increments and the new baseline; ``None`` if *totals* is older than what is counted."""
        before = self._ledger.restore(TOTALS_MARK, Baseline.from_state) or Baseline()
        doubtful, self._doubtful = self._doubtful, False
        if doubtful and may_be_older(before, totals):
            # Readings of two sources may overtake each other. The next reading also shows a restart.
            return None
        rebase, self._rebase = self._rebase, False
        increments = {} if rebase else increments_since(before, totals)
        baseline = Baseline.of(totals)
        if totals.counters_withheld:
            # Counters are unknown, not zero: unless the server has restarted, they continue from the old baseline.
            known = {} if restarted(before, totals) else before.counters
            return increments, Baseline(known, baseline.histograms)
        if self._rebase_counters:
            self._rebase_counters = False
            increments = _without_counters(increments)
        return increments, baseline


def _without_counters(increments: Increments) -> Increments:
    return {key: amount for key, amount in increments.items() if key[0] != "events"}


class NativeJob:
    """Reads the server's Prometheus endpoint."""

    def __init__(self, counter: TotalsCounter, choice: SourceChoice, *, interval_seconds: float) -> None:
        self._counter = counter
        self._choice = choice
        self._fresh_seconds = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        try:
            totals = await client.fetch_native_totals()
        except TargetRefused as error:
            self._choice.out(NATIVE)
            raise TargetForbidden(f"the metrics page has a separate login: {error}") from error
        except (TargetUnsupported, TargetForbidden):
            self._choice.out(NATIVE)
            raise
        await self._counter.apply(NATIVE, totals, fresh_seconds=self._fresh_seconds)


def start_at_zero(increments: Increments, board: ServerBoard, *, told: Container[str] = COUNTERS) -> None:
    """
    Add zeros for the events that alerts use, so that ``increase()`` sees their first increment.

    *told* are the events that the source can report; a zero for any other event would be false.
    """
    known = board.tallies.family("events")
    for event in ON_CALL_EVENTS:
        if event in told and (event,) not in known:
            add(increments, "events", (event,), 0)


class StoredJob:
    """Reads the server's stored metrics, each the increase since the previous sample."""

    def __init__(self, board: ServerBoard, ledger: Ledger, choice: SourceChoice, *, clock: ServerClock) -> None:
        self._board = board
        self._ledger = ledger
        self._choice = choice
        self._skip: set[str] = set()
        self._reading = StoredReading(ledger, clock=clock)
        ledger.restore(STORED_MARK, self._take_up)

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        try:
            batch = await self._reading.read(client)
        except TargetUnsupported as error:
            self._board.learn_edition(Edition.ENTERPRISE if error.status == "not_configured" else Edition.COMMUNITY)
            self._choice.out(STORED)
            raise
        self._board.learn_edition(Edition.ENTERPRISE)
        check_range(number for sample in batch.samples for number in (sample.value, sample.count))
        claim, counters = self._choice.claim(STORED), self._choice.claim_counters(STORED)
        self._skip |= {part for part, one in ((_REST, claim), (_COUNTED, counters)) if one.switched_from}
        feeds = {part for part, one in ((_REST, claim), (_COUNTED, counters)) if one.feeds}
        if not feeds:
            await self._ledger.record({}, {STORED_MARK: self._state(batch)})
            return
        increments = increments_of([s for s in self._without_overlap(batch.new) if _part_of(s) in feeds])
        marks = {SOURCE_MARK: self._choice.current, COUNTERS_MARK: self._choice.counters}
        if _COUNTED in feeds:
            start_at_zero(increments, self._board, told=STORED_EVENTS)
        await self._ledger.record(increments, {STORED_MARK: self._state(batch), **marks})
        self._board.show_source(self._choice.counters or STORED)
        if _REST in feeds:
            self._show_gauges(batch.samples)

    def _take_up(self, state: Any) -> None:
        """Restore which samples must still be skipped after a switch."""
        if state.get("skip_first", False):
            self._skip.add(_REST)
        if state.get("skip_counters", state.get("skip_first", False)):
            self._skip.add(_COUNTED)

    def _state(self, batch: StoredBatch) -> Any:
        """Return the watermark; it records samples to skip after a switch, so that this survives a restart."""
        skip = {"skip_first": _REST in self._skip, "skip_counters": _COUNTED in self._skip}
        return {**self._reading.to_state(batch), **skip}

    def _without_overlap(self, new: Sequence[StoredSample]) -> Sequence[StoredSample]:
        """Skip the first sample after a switch: it covers time that the other source has counted."""
        if not self._skip or not new:
            return new
        first = min(sample.taken_at for sample in new)
        skip, self._skip = self._skip, set()
        return [
            sample
            for sample in new
            if _part_of(sample) not in skip or (sample.taken_at - first).total_seconds() > STORED_WINDOW_SECONDS
        ]

    def _show_gauges(self, samples: Sequence[StoredSample]) -> None:
        """Publish the newest gauges: among equal times the largest, as each node reports the whole cluster."""
        newest: dict[str, tuple[datetime, int]] = {}
        for sample in samples:
            if sample.kind == "gauge":
                newest[sample.id] = max(newest.get(sample.id, (sample.taken_at, 0)), (sample.taken_at, sample.value))
        if newest:
            gauges = {name: value for name, (_, value) in newest.items()}
            self._board.publish(Part.GAUGES, gauges, fresh_seconds=STORED_FRESH_SECONDS)


def increments_of(samples: Sequence[StoredSample]) -> Increments:
    """Return the increments of stored *samples*."""
    increments: Increments = {}
    for sample in samples:
        if sample.kind == "counter":
            add(increments, "events", (sample.id,), max(0, sample.value))
        elif sample.kind == "histogram":
            add(increments, f"{sample.id}:bucket", ("inf",), max(0, sample.count))
            add(increments, f"{sample.id}:sum", (), max(0, sample.value))
    return increments


def _part_of(sample: StoredSample) -> str:
    return _COUNTED if sample.kind == "counter" else _REST
