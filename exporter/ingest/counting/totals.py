"""
Increments between two readings of a server's totals.

The server keeps its totals in memory: they start at zero after a restart, event counters wrap at 2**32, and zeros are
omitted. A reading is judged as a whole: any total that decreased without wrapping indicates a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.errors import PayloadError
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.state.tally import Increments, add

LIMIT = 2**64
WRAP = 2**32
HALF = 2**31


@dataclass(frozen=True, slots=True)
class Baseline:
    """
    The totals already counted.

    Attributes:
        counters: Totals by event id.
        histograms: By metric id: the sum, and non-cumulative bucket counts by upper bound (``inf`` for the last).
    """

    counters: Mapping[str, int] = field(default_factory=dict)
    histograms: Mapping[str, tuple[int, Mapping[str, int]]] = field(default_factory=dict)

    @classmethod
    def of(cls, totals: ServerTotals) -> Baseline:
        """Return the baseline after *totals* are counted."""
        return cls(dict(totals.counters), {name: (h.sum, bucket_counts(h)) for name, h in totals.histograms.items()})

    def to_state(self) -> Any:
        """Return the baseline as JSON-serializable data."""
        return {
            "counters": dict(self.counters),
            "histograms": {k: [s, dict(b)] for k, (s, b) in self.histograms.items()},
        }

    @classmethod
    def from_state(cls, state: Any) -> Baseline:
        """Return the baseline that `to_state` has saved."""
        return cls(dict(state["counters"]), {k: (s, dict(b)) for k, (s, b) in state["histograms"].items()})


def bucket_counts(histogram: HistogramTotals) -> dict[str, int]:
    """Return non-cumulative bucket counts by upper bound; a single bucket ``inf`` if the source has no buckets."""
    if not histogram.counts:
        return {"inf": histogram.count}
    return {bound: count for bound, count in zip([*map(str, histogram.bounds), "inf"], histogram.counts, strict=True)}


def restarted(before: Baseline, now: ServerTotals) -> bool:
    """Return whether the totals show that the server has restarted since *before*."""
    for event, last in () if now.counters_withheld else before.counters.items():
        if fell(last, now.counters.get(event, 0)) and not could_wrap(last, now.counters.get(event, 0)):
            return True
    for name, (_, buckets) in before.histograms.items():
        histogram = now.histograms.get(name)
        if histogram is None:
            if sum(buckets.values()):
                return True
        elif histogram.count < sum(buckets.values()) and len(buckets) == len(bucket_counts(histogram)):
            return True
    return False


def may_be_older(before: Baseline, now: ServerTotals) -> bool:
    """Return whether *now* may be an older reading than *before*: a restart looks the same, but persists."""
    told = () if now.counters_withheld else now.counters.keys() | before.counters.keys()
    return restarted(before, now) or any(
        (now.counters.get(event, 0) - before.counters.get(event, 0)) % WRAP >= HALF for event in told
    )


def fell(last: int, current: int) -> bool:
    """Return whether a total decreased."""
    return current < last


def could_wrap(last: int, current: int) -> bool:
    """Return whether a decrease may be a wrap at 2**32, which moves by less than half the range."""
    return last < WRAP and (current - last) % WRAP < HALF


def check_range(numbers: Iterable[int]) -> None:
    """Raise `PayloadError` for a number out of range: the server's totals have at most 64 bits."""
    if max(numbers, default=0) >= LIMIT:
        raise PayloadError("a total of 2^64 or more")


def numbers_of(totals: ServerTotals) -> Iterator[int]:
    """Yield every number in *totals* that will be counted."""
    yield from totals.counters.values()
    for histogram in totals.histograms.values():
        yield histogram.sum
        yield histogram.count
        yield from histogram.counts


def increments_since(before: Baseline, now: ServerTotals) -> Increments:
    """Return the increments of the tallies from *before* to *now*."""
    fresh = Baseline() if restarted(before, now) else before
    out: Increments = {}
    # A counter that is missing now has wrapped to exactly zero: zeros are omitted.
    for event in now.counters.keys() | fresh.counters.keys():
        value, last = now.counters.get(event, 0), fresh.counters.get(event, 0)
        add(out, "events", (event,), (value - last) % WRAP if fell(last, value) else value - last)
    for name, histogram in now.histograms.items():
        _add_histogram(out, name, histogram, fresh.histograms.get(name))
    return out


def _add_histogram(
    out: Increments, name: str, histogram: HistogramTotals, before: tuple[int, Mapping[str, int]] | None
) -> None:
    last_sum, last_buckets = before if before is not None else (0, {})
    buckets = bucket_counts(histogram)
    if before is not None and set(last_buckets) != set(buckets):
        # The other source has different buckets: the increments since then have no bucket that we know.
        grown = max(0, histogram.count - sum(last_buckets.values()))
        buckets, last_buckets = {"inf": grown}, {}
    for bound, count in buckets.items():
        last = last_buckets.get(bound, 0)
        add(out, f"{name}:bucket", (bound,), (count - last) % WRAP if fell(last, count) else count - last)
    add(out, f"{name}:sum", (), max(0, histogram.sum - last_sum))
