"""Steps of the history as series for pictures: gauges per step, increases per hour or day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from exporter.store.steps.steps import Step

HOUR_STEPS = 12
DAY_STEPS = 288

LONGEST_STEPS = 2
"""Between rows further apart than this, the exporter was interrupted."""

Total = Callable[[Step], int | None]
"""A total of a step; ``None`` if it is not known."""


@dataclass(frozen=True, slots=True)
class Period:
    """
    Some steps together.

    Attributes:
        begin, end: Aware, in UTC.
        values: The increase of each total within it; ``None`` if it is not known.
    """

    begin: datetime
    end: datetime
    values: tuple[int | None, ...]

    @property
    def is_known(self) -> bool:
        """Whether anything is known of it."""
        return any(value is not None for value in self.values)


class Increases(NamedTuple):
    """The increases of some totals: by period, and over all the time."""

    periods: Sequence[Period]
    sums: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Series:
    """
    The steps of one server up to now.

    Attributes:
        steps: Oldest first.
        now: In Unix seconds.
        step_seconds: The length of a step.
    """

    steps: Sequence[Step]
    now: int
    step_seconds: int

    @property
    def latest_end(self) -> int:
        """The end of the latest step that is over."""
        return self.now // self.step_seconds * self.step_seconds

    def gauge(self, value: Total, *, number: int, every: int = 1) -> Sequence[int | None]:
        """Return the largest value of each *every* steps, *number* times, up to now."""
        known = {step.at: value(step) for step in self.steps}
        end, length = self.latest_end, self.step_seconds
        found = [known.get(end - n * length) for n in range(number * every - 1, -1, -1)]
        if every == 1:
            return found
        return [
            max((one for one in found[n : n + every] if one is not None), default=None)
            for n in range(0, len(found), every)
        ]

    def increases(self, totals: Sequence[Total], *, number: int, every: int) -> Increases:
        """
        Return the increases of *totals* within periods of *every* steps; the last of *number* periods ends now.

        What was counted after an interruption of the exporter belongs to no period, but to the sum.
        """
        begin, end, longest = self._begin(number, every), self.latest_end, LONGEST_STEPS * self.step_seconds
        pairs = [(a, b) for a, b in pairwise(self.steps) if begin < b.at <= end]
        found = [[(b.at, _increase(total(a), total(b)), b.at - a.at <= longest) for a, b in pairs] for total in totals]
        return self._increases(number, every, found)

    def counts(self, values: Sequence[Total], *, number: int, every: int) -> Increases:
        """Return the same for numbers that are already those of a step alone."""
        begin, end = self._begin(number, every), self.latest_end
        steps = [step for step in self.steps if begin < step.at <= end]
        return self._increases(number, every, [[(step.at, value(step), True) for step in steps] for value in values])

    def _begin(self, number: int, every: int) -> int:
        return self.latest_end - number * every * self.step_seconds

    def _increases(self, number: int, every: int, found: Sequence[Sequence[tuple[int, int | None, bool]]]) -> Increases:
        """Return sums of *found*: for each total the ends of steps, their values, and whether they have a place."""
        length, begin = every * self.step_seconds, self._begin(number, every)
        columns: list[list[int | None]] = []
        sums: list[int | None] = []
        for values in found:
            column: list[int | None] = [None] * number
            known = [(at, value, placed) for at, value, placed in values if value is not None]
            for at, value, placed in known:
                if placed:
                    place = (at - begin - 1) // length
                    column[place] = (column[place] or 0) + value
            columns.append(column)
            sums.append(sum(value for _, value, _ in known) if known else None)
        moments = [_moment(begin + n * length) for n in range(number + 1)]
        periods = [Period(*ends, tuple(column[n] for column in columns)) for n, ends in enumerate(pairwise(moments))]
        return Increases(periods, sums)


def _increase(old: int | None, new: int | None) -> int | None:
    return None if old is None or new is None else max(0, new - old)


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
