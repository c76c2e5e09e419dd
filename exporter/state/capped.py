"""
A cap on the series of a label with arbitrary values, without moving counts between series.

The first *cap* values get their own series, the others are counted as ``other``. After a day without increments, a
value gives up its place to the next new one, but keeps its series, since the sum of a family must not fall. At most
`RETIRED_FACTOR` times the cap of such series are kept; beyond that, no new value is admitted.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporter.model.queue import OTHER_DOMAIN

KEEP_SECONDS = 86400.0
RETIRED_FACTOR = 4


class CappedLabel:
    """
    The admitted label values of one family of one server.

    Attributes:
        dropped: The number of increments counted as ``other`` since the start.
    """

    def __init__(self, cap: int, known: Iterable[str] = (), *, now: float) -> None:
        self._cap = cap
        self._active: dict[str, float] = {}  # The longest unused first.
        self._retired: set[str] = set()
        self.dropped = 0
        for value in known:
            if value == OTHER_DOMAIN:
                continue
            if len(self._active) < cap:
                self._active[value] = now
            else:
                self._retired.add(value)

    def label(self, value: str, now: float) -> str:
        """
        Return the label that an increment of *value* counts under at *now* (monotonic seconds).

        Unlike *value*, it is from a bounded set.
        """
        if value == OTHER_DOMAIN or self._cap == 0:
            return OTHER_DOMAIN
        if value in self._active:
            del self._active[value]
            self._active[value] = now
            return value
        if self._room(now, returning=value in self._retired):
            self._retired.discard(value)
            self._active[value] = now
            return value
        if value in self._retired:
            return value
        self.dropped += 1
        return OTHER_DOMAIN

    def _room(self, now: float, *, returning: bool) -> bool:
        if len(self._active) >= self._cap:
            silent = next(iter(self._active))
            if now - self._active[silent] < KEEP_SECONDS:
                return False
            if len(self._retired) >= RETIRED_FACTOR * self._cap and not returning:
                return False
            del self._active[silent]
            self._retired.add(silent)
        return True
