"""A few hours of some numbers of one server, in bounded memory, and since when each condition has held."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise

STEP_SECONDS = 60.0
KEEP_SECONDS = 6 * 3600.0
SAMPLES = int(KEEP_SECONDS / STEP_SECONDS) + 2
"""Samples per number: six hours, the longest window of an alert that pages."""

EVENT = "event:"
"""Prefix of the names of event counters; none of their windows is longer than one hour."""

EVENT_SAMPLES = int(3600 / STEP_SECONDS) + 2

CONDITIONS = 200
"""How many conditions are recorded per server."""


class History:
    """
    The recent history of one server. A number takes 3 kB, one of an event 0.5 kB; times are monotonic seconds.

    Contract of the windows: like PromQL's ``increase`` and ``deriv``, without extrapolation beyond the first and last
    sample.
    """

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._times = array("d")
        self._columns: dict[str, array[float]] = {}
        self._since: dict[str, float] = {}

    def record(self, values: Mapping[str, float]) -> None:
        """Append *values*, unless the latest sample is younger than one step; a missing number leaves a gap."""
        now = self._monotonic()
        if self._times and now - self._times[-1] < STEP_SECONDS:
            return
        self._times.append(now)
        for name in values.keys() - self._columns.keys():
            self._columns[name] = array("d")
        for name, column in list(self._columns.items()):
            column.append(values.get(name, math.nan))
            if len(column) > (EVENT_SAMPLES if name.startswith(EVENT) else SAMPLES):
                del column[0]
            if all(map(math.isnan, column)):
                del self._columns[name]
        if len(self._times) > SAMPLES:
            del self._times[0]

    def names(self) -> Iterable[str]:
        """Return the names of the numbers with samples."""
        return list(self._columns)

    def covered_seconds(self, name: str) -> float:
        """Return the age of the oldest sample of *name*; 0 without any."""
        return max((self._monotonic() - at for at, _ in self._window(name, KEEP_SECONDS)), default=0.0)

    def increase(self, name: str, window_seconds: float) -> float:
        """Return the increase of a counter within the window; a decrease counts as a reset."""
        values = [value for _, value in self._window(name, window_seconds)]
        return sum(max(0.0, after - before) for before, after in pairwise(values))

    def slope(self, name: str, window_seconds: float) -> float | None:
        """Return the least-squares slope of a gauge per second; ``None`` with fewer than two samples."""
        points = list(self._window(name, window_seconds))
        if len(points) < 2:
            return None
        mean_at = sum(at for at, _ in points) / len(points)
        mean = sum(value for _, value in points) / len(points)
        spread = sum((at - mean_at) ** 2 for at, _ in points)
        return sum((at - mean_at) * (value - mean) for at, value in points) / spread

    def _window(self, name: str, seconds: float) -> Iterator[tuple[float, float]]:
        column = self._columns.get(name)
        if column is None:
            return
        # Samples are not taken exactly on time: the first one of the window may be late by one step.
        begin = self._monotonic() - seconds - STEP_SECONDS / 2
        for at, value in zip(self._times[-len(column) :], column, strict=True):
            if at >= begin and not math.isnan(value):
                yield at, value

    def hold(self, conditions: Iterable[str]) -> None:
        """Record that *conditions* hold now; all others have ended."""
        now = self._monotonic()
        held = list(conditions)[:CONDITIONS]
        self._since = {name: self._since.get(name, now) for name in held}

    def held_seconds(self, condition: str) -> float:
        """Return how long *condition* has held; 0 if it is new."""
        since = self._since.get(condition)
        return 0.0 if since is None else self._monotonic() - since
