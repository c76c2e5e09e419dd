"""
Increases of histograms that the server stores as running totals, computed from the order in which they were written.

A total grows until the process of its cluster node ends, and is written only after it has grown: a total that is not
larger than the previous one belongs to another process. A process writes all its totals together, so they all start
from zero at the same time. After the server's clock was set, timestamps do not show the order of writing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import Any

from exporter.model.telemetry import StoredSample, TotalSeries

MAX_SERIES = 2000
"""Beyond this, the series that were silent longest are dropped, and searched for when they are written again."""

_TOGETHER = timedelta(seconds=1)
"""Totals of one collection are written within this time."""


@dataclass(frozen=True, slots=True)
class Total:
    """Count and sum of a histogram since its process began."""

    count: int
    sum: int


ZERO = Total(0, 0)

Totals = Mapping[TotalSeries, Total]
"""The last total of each series in the order of writing, the longest silent series first."""


def written_order(samples: Iterable[StoredSample], *, latest: int | None) -> Sequence[StoredSample]:
    """
    Return the running totals of *samples* in the order of writing.

    Those after *latest* (Unix seconds) come first: they were written before the clock was set back.
    """
    totals = [sample for sample in samples if sample.series is not None]
    return sorted(totals, key=lambda one: (latest is None or one.taken_at.timestamp() <= latest, one.taken_at))


def growing_order(known: Totals, written: Sequence[StoredSample]) -> Sequence[StoredSample] | None:
    """Return *written* ordered by count if no process needs to have ended since *known*; otherwise ``None``."""
    counts = [(series, sample.count) for sample in written if (series := sample.series) is not None]
    is_growing = all(series not in known or count > known[series].count for series, count in counts)
    is_growing = is_growing and len(set(counts)) == len(counts)
    return sorted(written, key=lambda sample: sample.count) if is_growing else None


def last_totals(written: Iterable[StoredSample]) -> Totals:
    """Return the last total of each series in *written*, which is in the order of writing."""
    totals: dict[TotalSeries, Total] = {}
    for sample in written:
        if sample.series is not None:
            totals.pop(sample.series, None)
            totals[sample.series] = Total(sample.count, sample.value)
    return totals


def increases(before: Totals, written: Iterable[StoredSample]) -> tuple[Totals, Sequence[StoredSample]]:
    """
    Return the last totals after *written*, which follows *before* in the order of writing, and each sample's increase.

    The increase of a series that is absent from *before* is unknown, and is left out.
    """
    totals = dict(before)
    added = []
    for collection in _collections(written):
        news = last_totals(collection)
        if any(0 < totals[series].count >= total.count for series, total in news.items() if series in totals):
            nodes = {series.node for series in news}
            totals.update({series: ZERO for series in (*totals, *news) if series.node in nodes})
        for sample in collection:
            before_it = None if sample.series is None else totals.pop(sample.series, None)
            if before_it is not None:
                count, sum_ = sample.count - before_it.count, max(0, sample.value - before_it.sum)
                added.append(replace(sample, count=count, value=sum_, node=None))
        totals.update(news)
    return totals, added


def _collections(written: Iterable[StoredSample]) -> Sequence[Sequence[StoredSample]]:
    """Group totals that a node has written together: each series once, at one time."""
    collections: list[list[StoredSample]] = []
    newest: dict[int | None, list[StoredSample]] = {}
    for sample in written:
        together = newest.get(sample.node)
        if together is None or not _belongs_to(together, sample):
            together = newest[sample.node] = []
            collections.append(together)
        together.append(sample)
    return collections


def _belongs_to(together: Sequence[StoredSample], sample: StoredSample) -> bool:
    is_near = abs(sample.taken_at - together[0].taken_at) <= _TOGETHER
    return is_near and all(sample.id != other.id for other in together)


def totals_to_state(totals: Totals) -> Any:
    """Return *totals* as JSON-serializable data; beyond `MAX_SERIES` the longest silent ones are left out."""
    kept = islice(totals.items(), max(0, len(totals) - MAX_SERIES), None)
    return [[series.node, series.metric, total.count, total.sum] for series, total in kept]


def totals_from_state(state: Any) -> Totals:
    """Return the totals that `totals_to_state` has saved."""
    return {TotalSeries(node, metric): Total(count, sum_) for node, metric, count, sum_ in state}
