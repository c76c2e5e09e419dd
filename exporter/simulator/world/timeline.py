"""Timers in order of time, which run as the clock passes them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator

from exporter.simulator.world.clock import Clock


class Timeline:
    """
    Runs actions at their times.

    Attributes:
        generation: Incremented by `restart`, which drops the timers of the server process.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at: float | None = None
        self._set_to = 0.0
        self._timers: list[tuple[float, int, int | None, Callable[[], None]]] = []
        self._sequence = itertools.count()
        self.generation = 0

    def now(self) -> float:
        """Return the current time in Unix seconds; while an action runs, the time at which it was due."""
        return self._at if self._at is not None else self._clock.now()

    def at(self, moment: float, action: Callable[[], None], *, outlives_restart: bool = True) -> None:
        """Schedule an action; one of the server process is dropped by a restart."""
        generation = None if outlives_restart else self.generation
        heapq.heappush(self._timers, (moment, next(self._sequence), generation, action))

    def after(self, seconds: float, action: Callable[[], None], *, outlives_restart: bool = True) -> None:
        """Schedule an action in *seconds*."""
        self.at(self.now() + seconds, action, outlives_restart=outlives_restart)

    def set_clock(self, seconds: float) -> None:
        """
        Set the clock `seconds` ahead, or back if negative.

        Timers of the process measure durations and are not affected; stored times are compared with the new clock.
        """
        self._clock.advance(seconds)
        self._set_to = self._clock.now()
        self._timers = [(timer[0] + seconds, *timer[1:]) for timer in self._timers]

    def drive(self, steps: Iterator[float]) -> None:
        """Run an activity of the server; each step yields the seconds until the next."""
        for seconds in steps:
            if seconds > 0:
                self.after(seconds, lambda: self.drive(steps), outlives_restart=False)
                return

    def restart(self) -> None:
        """Drop the pending actions of the server process."""
        self.generation += 1

    def run(self, next_due: Callable[[], float | None], act: Callable[[float], None]) -> None:
        """Run everything that is due now: timers, and what `next_due` announces and `act` performs."""
        if self._at is not None:
            return
        until = self._clock.now()
        try:
            while (moment := self._next(next_due())) is not None and moment <= until:
                self._at = max(moment, self._set_to if self._at is None else self._at)
                if self._timers and self._timers[0][0] <= self._at:
                    self._fire()
                else:
                    act(self._at)
        finally:
            self._at = None

    def _next(self, due: float | None) -> float | None:
        timer = self._timers[0][0] if self._timers else None
        return min((moment for moment in (timer, due) if moment is not None), default=None)

    def _fire(self) -> None:
        _, _, generation, action = heapq.heappop(self._timers)
        if generation is None or generation == self.generation:
            action()
