"""The server's own counters, gauges and histograms, from whichever exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class HistogramTotals:
    """
    A histogram of the server since its process started, in the server's own unit (milliseconds or bytes).

    Attributes:
        sum: Sum of the observed values.
        count: Number of observations.
        bounds: Finite upper bounds, ascending; empty where the exit has no buckets.
        counts: Observations in each bucket alone (not cumulative), one more than there are bounds; empty without
            buckets. They add up to ``count``.
    """

    sum: int
    count: int
    bounds: Sequence[int] = ()
    counts: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTotals:
    """
    What the server's process has counted since its start: one frame of the native page or of the live stream.

    Attributes:
        counters: By event id as the newest release spells it. A counter at zero is absent. Wraps at 2**32.
        gauges: By metric id. Values of 2**63 and more are underflows and have been left out.
        histograms: By metric id.
        unknown: Names that are no event or metric we know, by field.
        counters_withheld: Why there are no counters where the server tells them under wrong names, else empty. They are
            unknown then, not zero.
    """

    counters: Mapping[str, int]
    gauges: Mapping[str, int]
    histograms: Mapping[str, HistogramTotals]
    unknown: Mapping[str, int] = field(default_factory=dict)
    counters_withheld: str = ""


class TotalSeries(NamedTuple):
    """A cluster node and the id of a histogram that it stores as running totals."""

    node: int
    metric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """
    One stored observation of one series: what was added since the previous one (counter, histogram), or a reading.

    Attributes:
        taken_at: When the server wrote it, to the second, aware and in UTC.
        kind: ``counter``, ``gauge`` or ``histogram``.
        value: Of counters and gauges; a histogram's sum, in the server's own unit.
        count: Of histograms.
        node: Of a histogram's running total: the cluster node whose process it covers. ``None`` for anything else.
    """

    taken_at: datetime
    kind: str
    id: str
    value: int
    count: int = 0
    node: int | None = None

    @property
    def series(self) -> TotalSeries | None:
        """The series of a running total; ``None`` for anything else."""
        return None if self.node is None else TotalSeries(self.node, self.id)
