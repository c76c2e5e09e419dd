"""
What was added to histograms, told from their totals.

A total grows until the process of its cluster node ends, and is written only when it has grown: one that is not larger
than the one before it tells that the process is another one, and then so does every total written along with it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple


class Series(NamedTuple):
    """A cluster node and a metric's id."""

    node: int
    metric: str


@dataclass(frozen=True, slots=True, order=True)
class Total:
    """A histogram of one node at one collection; they sort by time."""

    at: datetime
    id: int
    series: Series
    count: int
    sum: int


class Histories:
    """The last totals of each series."""

    def __init__(self) -> None:
        self._totals: dict[Series, list[Total]] = {}
        self._begun: set[Series] = set()

    def learn(self, totals: Iterable[Total]) -> None:
        """Takes in totals, known ones or not, in any order."""
        for total in totals:
            known = self._totals.setdefault(total.series, [])
            at = bisect_left(known, total)
            if known[at : at + 1] != [total]:
                insort(known, total)

    def is_ahead_of(self, latest: datetime) -> bool:
        """Whether a total is known that is newer than *latest*."""
        return any(known[-1].at > latest for known in self._totals.values() if known)

    def set_back(self, to: datetime) -> None:
        """The clock was set back to some time after *to*: the largest total of each series comes before the next."""
        largest = {series: max(known, key=lambda total: total.count) for series, known in self._totals.items() if known}
        self._totals = {series: [replace(total, at=to)] for series, total in largest.items()}

    def has_reached(self, total: Total) -> bool:
        """Whether a total of its series is known that is as large."""
        return any(known.count >= total.count for known in self._totals.get(total.series, ()))

    def without_beginning(self, series: Iterable[Series], after: datetime) -> set[Series]:
        """Those *series* whose first total at or after *after* has nothing known before it."""
        return {one for one in series if one not in self._begun and self._totals[one][0].at >= after}

    def begin_here(self, series: Iterable[Series]) -> None:
        """The first total known of these is the first one there is."""
        self._begun.update(series)

    def added(self, totals: Iterable[Total]) -> Mapping[Total, tuple[int, int]]:
        """Count and sum that each of *totals* adds; one that cannot be told is absent."""
        before = {total: self._before(total) for total in totals}
        restarted = {_collection(t) for t, last in before.items() if last is not None and t.count <= last.count}
        added = {}
        for total, last in before.items():
            if _collection(total) in restarted or (last is None and total.series in self._begun):
                added[total] = total.count, total.sum
            elif last is not None:
                added[total] = total.count - last.count, max(0, total.sum - last.sum)
        return added

    def forget_before(self, after: datetime) -> None:
        """Drops all but the last total before *after* of each series."""
        for known in self._totals.values():
            later = next((number for number, total in enumerate(known) if total.at >= after), len(known))
            del known[: max(0, later - 1)]

    def _before(self, total: Total) -> Total | None:
        known = self._totals[total.series]
        at = bisect_left(known, total)
        return known[at - 1] if at else None


def _collection(total: Total) -> tuple[int, datetime]:
    """Totals that were written together."""
    return total.series.node, total.at.replace(second=0)
