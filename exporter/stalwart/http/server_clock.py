"""
The server's clock, learned from its responses and its live events.

The server's timestamps are compared with this clock, never with the exporter's own: the two may differ by hours, and
either may be set while the exporter runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import structlog

from exporter.clock import Clock

log = structlog.get_logger("exporter.clock")

STEP_SECONDS = 60
"""A larger difference from the expected time means that the clock was set; it is not drift."""

LATE_SECONDS = 3600
"""A live event never arrives this late."""

SHOWN_AGAIN_SECONDS = 0.5
"""Smaller changes of the skew are not reported: the header has whole seconds."""

_WHOLE_SECOND = 1.0
_OLDEST, _NEWEST = 946_684_800, 4_102_444_800
"""The years 2000 to 2100 in Unix seconds; times outside are ignored."""


@dataclass(frozen=True, slots=True)
class _Bounds:
    """The lower and upper bound of the server's clock minus monotonic time, in seconds."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    def narrowed(self, other: _Bounds) -> _Bounds | None:
        """Return the intersection; ``None`` if it is empty."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return _Bounds(low, high) if low <= high else None


class ServerClock:
    """
    A `Clock` that shows the server's time.

    Between two responses it advances with monotonic time, so setting the exporter's own clock does not affect it.
    Until the server's time is known, `now` is the exporter's own time.

    The ``Date`` header may come from a proxy with a different clock: live events that contradict it take precedence.

    Attributes:
        steps: How many times the clock was found to be set by more than `STEP_SECONDS`.
    """

    def __init__(self, clock: Clock, *, server: str = "") -> None:
        self._clock = clock
        self._server = server
        self._bounds: _Bounds | None = None
        self._correction = 0.0
        self._shown: float | None = None
        self._listener: Callable[[float, int], None] | None = None
        self.steps = 0

    @property
    def skew_seconds(self) -> float | None:
        """The server's clock minus ours, in seconds; ``None`` until the server's time is known."""
        seconds = self._seconds()
        return None if seconds is None else seconds - self._clock.now().timestamp()

    def subscribe(self, listener: Callable[[float, int], None]) -> None:
        """Call *listener* with skew (seconds) and `steps` when the skew changes; it must be quick and not raise."""
        self._listener = listener

    def now(self) -> datetime:
        """Return the server's time, aware and in UTC."""
        seconds = self._seconds()
        return self._clock.now() if seconds is None else datetime.fromtimestamp(seconds, UTC)

    def ours(self) -> datetime:
        """Return the exporter's own time, aware and in UTC."""
        return self._clock.now()

    def known_second(self) -> int | None:
        """Return the server's time in Unix seconds; ``None`` until it is known."""
        seconds = self._seconds()
        return None if seconds is None else int(seconds)

    def monotonic(self) -> float:
        """Return monotonic seconds since an arbitrary start."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep for *seconds* of monotonic time."""
        await self._clock.sleep(seconds)

    def learn_date(self, date: str, *, asked_at: float, age: str = "") -> None:
        """
        Learn from the ``Date`` header of a response to a request made at *asked_at* (monotonic seconds).

        A response with an *age* comes from a cache; it is ignored, as is an unreadable date.
        """
        at = None if age else _seconds_of(date)
        if at is None:
            return
        seen = _Bounds(at - self._clock.monotonic(), at + _WHOLE_SECOND - asked_at)
        before, narrowed = self._bounds, None if self._bounds is None else self._bounds.narrowed(seen)
        self._bounds = narrowed or seen
        if before is not None and abs(moved := self._bounds.middle - before.middle) > STEP_SECONDS:
            self._correction = 0.0
            self.steps += 1
            log.warning("clock.stepped", server=self._server, step_seconds=round(moved, 1))
        self._show()

    def learn_event(self, second: int) -> None:
        """Learn from the time of a live event (Unix seconds) that has just arrived."""
        if not _OLDEST <= second < _NEWEST:
            return
        monotonic, expected = self._clock.monotonic(), self._seconds()
        if self._bounds is None or expected is None:
            self._bounds = _Bounds(second - monotonic, second + _WHOLE_SECOND - monotonic)
        elif not -STEP_SECONDS < expected - second < LATE_SECONDS:
            self._correction = second - (self._bounds.middle + monotonic)
        else:
            return
        self._show()

    def _seconds(self) -> float | None:
        return None if self._bounds is None else self._bounds.middle + self._correction + self._clock.monotonic()

    def _show(self) -> None:
        skew = self.skew_seconds
        if skew is None or (self._shown is not None and abs(skew - self._shown) < SHOWN_AGAIN_SECONDS):
            return
        self._shown = skew
        if self._listener is not None:
            self._listener(skew, self.steps)


def _seconds_of(date: str) -> float | None:
    try:
        at = parsedate_to_datetime(date)
        seconds = at.replace(tzinfo=at.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return seconds if _OLDEST <= seconds < _NEWEST else None
