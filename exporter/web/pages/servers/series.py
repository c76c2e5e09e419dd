"""Steps of the history as series for pictures: gauges per step, increases per hour or day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
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
        known = {step.at: step for step in self.steps}
        ends = [self.latest_end - n * self.step_seconds for n in reversed(range(number * every))]
        found = [None if (step := known.get(end)) is None else value(step) for end in ends]
        return [
            max((one for one in found[n : n + every] if one is not None), default=None)
            for n in range(0, len(found), every)
        ]

    def increases(self, totals: Sequence[Total], *, number: int, every: int) -> Increases:
        """
        Return the increases of *totals* within periods of *every* steps; the last of *number* periods ends now.

        What was counted after an interruption of the exporter belongs to no period, but to the sum.
        """
        begin = self.latest_end - number * every * self.step_seconds
        pairs = [(a, b) for a, b in pairwise(self.steps) if begin < b.at <= self.latest_end]
        close = [(a, b) for a, b in pairs if b.at - a.at <= LONGEST_STEPS * self.step_seconds]
        return Increases(
            self._periods(number, every, [[(b.at, _increase(a, b, total)) for a, b in close] for total in totals]),
            [_sum(_increase(a, b, total) for a, b in pairs) for total in totals],
        )

    def counts(self, values: Sequence[Total], *, number: int, every: int) -> Increases:
        """Return the same for numbers that are already those of a step alone."""
        begin = self.latest_end - number * every * self.step_seconds
        steps = [step for step in self.steps if begin < step.at <= self.latest_end]
        return Increases(
            self._periods(number, every, [[(step.at, value(step)) for step in steps] for value in values]),
            [_sum(value(step) for step in steps) for value in values],
        )

    def _periods(self, number: int, every: int, found: Sequence[Sequence[tuple[int, int | None]]]) -> Sequence[Period]:
        length = every * self.step_seconds
        begin = self.latest_end - number * length
        values: list[list[int | None]] = [[None] * len(found) for _ in range(number)]
        for column, pairs in enumerate(found):
            for at, value in pairs:
                place = (at - begin - 1) // length
                values[place][column] = _sum((values[place][column], value))
        return [
            Period(_moment(begin + n * length), _moment(begin + (n + 1) * length), tuple(one))
            for n, one in enumerate(values)
        ]


def _increase(before: Step, after: Step, total: Total) -> int | None:
    old, new = total(before), total(after)
    return None if old is None or new is None else max(0, new - old)


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
