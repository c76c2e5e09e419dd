"""
The server's own counters, gauges and histograms, from its Prometheus page or else from its stored metrics.

A switch of source continues the tallies: what the new source had counted before the switch is taken as counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zlib import crc32

from exporter.clock import Clock
from exporter.errors import TargetForbidden, TargetRefused, TargetUnsupported
from exporter.ingest.ledger import Ledger
from exporter.ingest.queue import fresh_seconds
from exporter.ingest.recent import RecentMultiset
from exporter.ingest.sources import SourceChoice
from exporter.ingest.totals import Baseline, increments_since
from exporter.model.server import Edition
from exporter.model.telemetry import ServerTotals, StoredSample
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.events import ON_CALL_EVENTS
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import Increments, add

LIVE, NATIVE, STORED = "live", "native", "stored"
RANKING = (NATIVE, STORED)
TOTALS_MARK, STORED_MARK, SOURCE_MARK = "totals", "stored", "metrics_source"

STORED_WINDOW_SECONDS = 600
"""Cluster nodes write their samples at slightly different times."""

STORED_FRESH_SECONDS = 2 * 3600.0
"""Stored gauges are hourly."""


class NativeJob:
    """Reads the server's own Prometheus page."""

    def __init__(self, board: ServerBoard, ledger: Ledger, choice: SourceChoice, *, interval_seconds: float) -> None:
        self._board = board
        self._ledger = ledger
        self._choice = choice
        self._fresh_seconds = fresh_seconds(interval_seconds)

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        try:
            totals = await client.fetch_native_totals()
        except TargetRefused as error:
            self._choice.out(NATIVE)
            raise TargetForbidden(f"the metrics page has a login of its own: {error}") from error
        except (TargetUnsupported, TargetForbidden):
            self._choice.out(NATIVE)
            raise
        await self.apply(totals)

    async def apply(self, totals: ServerTotals) -> None:
        """Counts what is new in *totals* and shows its gauges."""
        claim = self._choice.claim(NATIVE)
        if not claim.feeds:
            return
        state = self._ledger.watermark(TOTALS_MARK)
        increments: Increments = {}
        if not claim.switched_from:
            increments = increments_since(Baseline() if state is None else Baseline.from_state(state), totals)
        start_at_zero(increments, self._board)
        marks = {TOTALS_MARK: Baseline.of(totals).to_state(), SOURCE_MARK: NATIVE}
        await self._ledger.record(increments, marks)
        self._board.show_source(NATIVE)
        self._board.count_unknown(totals.unknown)
        self._board.publish(Part.GAUGES, dict(totals.gauges), fresh_seconds=self._fresh_seconds)


def start_at_zero(increments: Increments, board: ServerBoard) -> None:
    """Adds zeros for the events one is paged for, so that their first rise is a rise and not a beginning."""
    known = board.tallies.family("events")
    for event in ON_CALL_EVENTS:
        if (event,) not in known:
            add(increments, "events", (event,), 0)


class StoredJob:
    """Reads the server's stored metrics, each of which is what was added since the one before it."""

    def __init__(self, board: ServerBoard, ledger: Ledger, choice: SourceChoice, *, clock: Clock) -> None:
        self._board = board
        self._ledger = ledger
        self._choice = choice
        self._clock = clock
        self._skip_first = False

    async def __call__(self, client: StalwartClient) -> None:
        """One poll."""
        recent = self._recent()
        try:
            samples = await client.fetch_stored_metrics(after=datetime.fromtimestamp(recent.horizon or 0, UTC))
        except TargetUnsupported as error:
            self._board.learn_edition(Edition.ENTERPRISE if error.status == "not_configured" else Edition.COMMUNITY)
            self._choice.out(STORED)
            raise
        self._board.learn_edition(Edition.ENTERPRISE)
        new = [samples[i] for i in recent.take_new([(int(s.taken_at.timestamp()), _fingerprint(s)) for s in samples])]
        claim = self._choice.claim(STORED)
        if not claim.feeds:
            await self._ledger.record({}, {STORED_MARK: recent.to_state()})
            return
        self._skip_first = self._skip_first or bool(claim.switched_from)
        increments = increments_of(self._without_overlap(new))
        start_at_zero(increments, self._board)
        await self._ledger.record(increments, {STORED_MARK: recent.to_state(), SOURCE_MARK: STORED})
        self._board.show_source(STORED)
        self._show_gauges(samples)

    def _recent(self) -> RecentMultiset:
        """What is counted so far; on first contact everything up to now: older samples are history."""
        state = self._ledger.watermark(STORED_MARK)
        if state is not None:
            return RecentMultiset.from_state(STORED_WINDOW_SECONDS, state)
        return RecentMultiset(STORED_WINDOW_SECONDS, int(self._clock.now().timestamp()) + STORED_WINDOW_SECONDS)

    def _without_overlap(self, new: Sequence[StoredSample]) -> Sequence[StoredSample]:
        """After a switch the first sample covers time that the other source has counted: it is left out."""
        if not self._skip_first or not new:
            return new
        first = min(sample.taken_at for sample in new)
        self._skip_first = False
        return [s for s in new if (s.taken_at - first).total_seconds() > STORED_WINDOW_SECONDS]

    def _show_gauges(self, samples: Sequence[StoredSample]) -> None:
        """Of equal times (cluster nodes) the largest reading counts; each node reports the whole cluster's queue."""
        newest: dict[str, tuple[datetime, int]] = {}
        for sample in samples:
            if sample.kind == "gauge":
                newest[sample.id] = max(newest.get(sample.id, (sample.taken_at, 0)), (sample.taken_at, sample.value))
        if newest:
            gauges = {name: value for name, (_, value) in newest.items()}
            self._board.publish(Part.GAUGES, gauges, fresh_seconds=STORED_FRESH_SECONDS)


def increments_of(samples: Sequence[StoredSample]) -> Increments:
    """What stored *samples* add."""
    increments: Increments = {}
    for sample in samples:
        if sample.kind == "counter":
            add(increments, "events", (sample.id,), max(0, sample.value))
        elif sample.kind == "histogram":
            add(increments, f"{sample.id}:bucket", ("inf",), max(0, sample.count))
            add(increments, f"{sample.id}:sum", (), max(0, sample.value))
    return increments


def _fingerprint(sample: StoredSample) -> int:
    return crc32(f"{sample.kind}|{sample.id}|{sample.value}|{sample.count}".encode())
