"""The server's own counters, gauges and histograms, from any source."""

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
        bounds: Finite upper bounds, ascending; empty if the source has no buckets.
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
    The totals since the start of the server's process, from its own page or one message of the live stream.

    Attributes:
        counters: By event id as the newest release spells it. Zero counters are absent. They wrap at 2**32.
        gauges: By metric id, without values of 2**63 and more, which are underflows.
        histograms: By metric id.
        unknown: The number of unknown names, by field.
        counters_withheld: Why there are no counters, if the server exports them under wrong names; they are then
            unknown, not zero. Else empty.
    """

    counters: Mapping[str, int]
    gauges: Mapping[str, int]
    histograms: Mapping[str, HistogramTotals]
    unknown: Mapping[str, int] = field(default_factory=dict)
    counters_withheld: str = ""


class TotalSeries(NamedTuple):
    """A cluster node and the id of a histogram that is stored as running totals."""

    node: int
    metric: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSample:
    """
    One stored sample of one series: an increment since the previous one (counter, histogram), or a gauge reading.

    Attributes:
        taken_at: When the server wrote it, to the second, aware and in UTC.
        kind: ``counter``, ``gauge`` or ``histogram``.
        value: The value of a counter or gauge; a histogram's sum, in the server's own unit.
        count: The number of observations, for histograms.
        node: The cluster node, for a histogram's running total since the start of that node's process; else ``None``.
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
