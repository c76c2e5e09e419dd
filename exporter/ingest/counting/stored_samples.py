"""Which of the server's stored samples are new, by the server's clock, which may be set at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zlib import crc32

import structlog

from exporter.ingest.counting.dedup_window import NEAR_SECONDS, Item, RecentMultiset
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.stored_totals import (
    ZERO,
    Total,
    Totals,
    growing_order,
    increases,
    last_totals,
    totals_from_state,
    totals_to_state,
    written_order,
)
from exporter.model.telemetry import StoredSample
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.http.server_clock import STEP_SECONDS, ServerClock

log = structlog.get_logger("exporter.telemetry")

STORED_MARK = "stored"
TOTALS_KEY = "totals"
"""Absent before the first running total, and in states of releases that identified totals by their increase."""

STORED_WINDOW_SECONDS = 600
"""Cluster nodes write their samples at slightly different times."""

FIRST_LOOK_SECONDS = 4 * 86_400
"""How far back the newest sample is searched for at first contact, if there is none nearby."""

LOOKS = 3

AMBIGUOUS = "after a clock change, their times are those of earlier samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """
    The result of one poll of the stored samples.

    Attributes:
        recent: The watermark after the poll.
        totals: The last running totals after the poll.
        samples: The samples near the watermark, as the server has stored them.
        new: The new samples; for a running total, its increase.
    """

    recent: RecentMultiset
    totals: Totals
    samples: Sequence[StoredSample]
    new: Sequence[StoredSample]


class StoredReading:
    """Reads the samples near the watermark, the newest sample seen so far."""

    def __init__(self, ledger: Ledger, *, clock: ServerClock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._read_at: float | None = None

    async def read(self, client: StalwartClient) -> StoredBatch:
        """Poll once. Raises a `TargetError`."""
        state = self._ledger.watermark(STORED_MARK)
        recent = self._ledger.restore(STORED_MARK, partial(RecentMultiset.from_state, STORED_WINDOW_SECONDS))
        if state is None or recent is None:
            return await self._first_look(client)
        for _ in range(LOOKS):
            after = self._after(recent)
            samples = await client.fetch_stored_metrics(after=datetime.fromtimestamp(after, UTC))
            if self._after(recent) >= after - STEP_SECONDS:
                break
        since, latest = self._set_back_since(recent), self._latest()
        if TOTALS_KEY not in state:
            recent.adopt(_items([sample for sample in samples if sample.series is not None]), latest=latest)
        if since is None:
            indexes = recent.take_new(_items(samples), latest=latest)
        else:
            indexes = recent.take_set_back(_items(samples), since=since, latest=latest or 0)
            if recent.ambiguous:
                log.warning("samples.skipped", collector="metrics", samples=recent.ambiguous, reason=AMBIGUOUS)
        known = _known_totals(state, samples, indexes, latest=latest)
        new = [samples[index] for index in indexes]
        totals, added = await self._increases(client, known, new, latest=latest)
        self._read_at = self._clock.monotonic()
        others = [sample for sample in new if sample.series is None]
        return StoredBatch(recent=recent, totals=totals, samples=samples, new=[*others, *added])

    async def _increases(
        self, client: StalwartClient, known: Totals, new: Sequence[StoredSample], *, latest: int | None
    ) -> tuple[Totals, Sequence[StoredSample]]:
        """Return the last totals after the *new* samples and their increases; fetch totals that are not *known*."""
        written = written_order(new, latest=latest)
        firsts = [sample for sample in written if sample.series not in known]
        if firsts:
            unknown = {series for sample in firsts if (series := sample.series) is not None}
            before = min(sample.taken_at for sample in firsts)
            earlier = await client.fetch_earlier_totals(unknown, before=before)
            found = {
                series: ZERO if total is None else Total(total.count, total.value) for series, total in earlier.items()
            }
            known = {**found, **known}
        if latest is not None and any(sample.taken_at.timestamp() > latest for sample in written):
            # The clock was set back since the last poll, and perhaps ahead before.
            written = growing_order(known, written) or written
        return increases(known, written)

    async def _first_look(self, client: StalwartClient) -> StoredBatch:
        """Treat all existing samples as history; the newest of them sets the watermark, regardless of the clocks."""
        now = int(self._clock.now().timestamp())
        for back in (NEAR_SECONDS, FIRST_LOOK_SECONDS):
            samples = await client.fetch_stored_metrics(after=datetime.fromtimestamp(now - back, UTC))
            if samples:
                break
        recent, latest = RecentMultiset(STORED_WINDOW_SECONDS), self._latest()
        recent.take_new(_items(samples), latest=latest)
        if recent.horizon is None:
            recent = RecentMultiset(STORED_WINDOW_SECONDS, now - back)
        self._read_at = self._clock.monotonic()
        totals = last_totals(written_order(samples, latest=latest))
        return StoredBatch(recent=recent, totals=totals, samples=samples, new=[])

    def _after(self, recent: RecentMultiset) -> int:
        """Return the time from which samples are read, in Unix seconds."""
        horizon, since = recent.horizon or 0, self._set_back_since(recent)
        return horizon if since is None else min(horizon, since - NEAR_SECONDS)

    def _latest(self) -> int | None:
        """Return the latest plausible time; samples with a later one were stamped before the clock was set back."""
        now = self._clock.known_second()
        return None if now is None else now + STEP_SECONDS

    def _set_back_since(self, recent: RecentMultiset) -> int | None:
        """Return the earliest time that samples may have since the clock was set back; ``None`` if it was not."""
        latest = self._latest()
        if latest is None or not recent.is_ahead_of(latest):
            return None
        if self._read_at is None:
            state = self._ledger.watermark(STORED_MARK) or {}
            gap = max(0.0, self._clock.ours().timestamp() - state.get("at", 0))
        else:
            gap = self._clock.monotonic() - self._read_at
        return latest - 2 * STEP_SECONDS - min(int(gap), NEAR_SECONDS)

    def to_state(self, batch: StoredBatch) -> dict[str, Any]:
        """Return the watermark after *batch* as JSON-serializable data."""
        at = int(self._clock.ours().timestamp())
        totals = {TOTALS_KEY: totals_to_state(batch.totals)} if batch.totals else {}
        return {**batch.recent.to_state(), **totals, "at": at}


def _known_totals(state: Any, samples: Sequence[StoredSample], new: Sequence[int], *, latest: int | None) -> Totals:
    """Return the last totals before the *new* samples: the saved ones, and for other series those in *samples*."""
    numbers = set(new)
    old = (sample for number, sample in enumerate(samples) if number not in numbers)
    return {**last_totals(written_order(old, latest=latest)), **totals_from_state(state.get(TOTALS_KEY, ()))}


def _items(samples: Sequence[StoredSample]) -> list[Item]:
    return [(int(sample.taken_at.timestamp()), _fingerprint(sample)) for sample in samples]


def _fingerprint(sample: StoredSample) -> int:
    node = "" if sample.node is None else f"|{sample.node}"
    return crc32(f"{sample.kind}|{sample.id}|{sample.value}|{sample.count}{node}".encode())
