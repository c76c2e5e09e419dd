"""
A label that may take any value, held to a number of series without moving a count between them.

The first *cap* values get a series of their own, the rest is counted in ``other``. A value keeps its series for at
least a day; after a day of silence its place (not its series: a sum over the family may never fall) goes to the next
newcomer. Series of silent values stay, up to `RETIRED_FACTOR` times the cap; past that no newcomer is admitted until
one of the known values gives way by falling silent again.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporter.model.queue import OTHER_DOMAIN

KEEP_SECONDS = 86400.0
RETIRED_FACTOR = 4


class CappedLabel:
    """
    Admission of label values for one family of one server.

    Attributes:
        dropped: Increments that went to ``other`` since the start.
    """

    def __init__(self, cap: int, known: Iterable[str] = (), *, now: float) -> None:
        self._cap = cap
        self._active: dict[str, float] = {}  # the longest silent first
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
        The label under which an increment of *value* counts at *now* (seconds, any origin that only goes forward).

        Unlike *value* itself this is from a bounded set.
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
