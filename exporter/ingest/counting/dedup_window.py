"""Which items with a timestamp in whole seconds are new: multisets compared near the watermark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NEAR_SECONDS = 7200
"""Items within this distance in time are compared after a clock was set back."""

MAX_STRETCHES = 4
"""How many stretches that ended with a jump ahead are kept."""

Item = tuple[int, int]
"""An item's Unix second, and a fingerprint that equal items share."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    The counted items before a jump ahead of the timestamps; a clock that is set back may return to them.

    Attributes:
        begin: The second from which *counted* is complete.
        end: The second of the newest item before the jump.
    """

    begin: int
    end: int
    counted: Counter[Item]

    def to_state(self) -> Any:
        """Return the state as JSON-serializable data."""
        return [self.begin, self.end, _rows(self.counted)]

    @classmethod
    def from_state(cls, state: Any) -> Stretch:
        """Return the stretch that `to_state` has saved."""
        begin, end, rows = state
        return cls(begin, end, _counter(rows))


class RecentMultiset:
    """
    The items that were counted in the last seconds before the newest one.

    Items may arrive a little late, and equal items may occur several times per second: near the watermark, current
    items are compared with counted ones as multisets. Items older than the window are assumed to be counted.

    Attributes:
        ambiguous: Number of items that `take_set_back` skipped because they may be older items.
    """

    def __init__(
        self,
        window_seconds: int,
        newest: int | None = None,
        counted: Counter[Item] | None = None,
        stretches: Iterable[Stretch] = (),
    ) -> None:
        self._window = window_seconds
        self._newest = newest
        self._counted: Counter[Item] = Counter() if counted is None else counted
        self._stretches = list(stretches)
        self.ambiguous = 0

    @property
    def horizon(self) -> int | None:
        """Items before this second are already counted; ``None`` if nothing was ever counted."""
        return None if self._newest is None else self._newest - self._window

    def has_any(self, items: Iterable[Item]) -> bool:
        """Return whether any of *items* was counted within the window."""
        return any(item in self._counted for item in items)

    def is_ahead_of(self, latest: int) -> bool:
        """Return whether an item newer than *latest* was counted, so that the clock was set back."""
        return self._newest is not None and self._newest > latest

    def adopt(self, items: Sequence[Item], *, latest: int | None) -> None:
        """
        Mark *items* as counted, except those between the watermark and *latest*: their old fingerprints are counted.

        The stretches hold old fingerprints too, and are dropped.
        """
        if items:
            newest = self._newest or 0
            self._counted |= Counter(item for item in items if not newest < item[0] <= (latest or item[0]))
            self._stretches = []

    def take_new(self, items: Sequence[Item], *, latest: int | None = None) -> list[int]:
        """
        Count *items* and return the indexes of those that were not counted before, in order.

        *items* must hold everything at and after `horizon`. Items newer than *latest* were stamped before the clock was
        set back, and do not move the window.
        """
        new = _take_uncounted(items, self.horizon, self._counted.copy())
        self._advance(items, latest)
        return new

    def take_set_back(self, items: Sequence[Item], *, since: int, latest: int) -> list[int]:
        """
        Do the same for the first *items* after the clock was set back to a time between *since* and *latest*.

        *items* must reach from `NEAR_SECONDS` before *since* to the newest one. An uncounted item from *since* on is
        new, unless older items of about that time exist, so that it may be one of them. If a kept stretch reaches back
        to *since*, items up to its end are not considered for this.
        """
        horizon = self.horizon or 0
        known_until = max((one.end for one in self._stretches if one.begin <= since), default=0)
        left = self._remembered()
        lately, late, is_ambiguous = [], [], False
        for index, item in enumerate(items):
            at, is_lately = item[0], since <= item[0] <= latest
            if known_until < at < horizon and not is_lately:
                is_ambiguous = is_ambiguous or since - NEAR_SECONDS <= at <= latest + NEAR_SECONDS
            if left[item] > 0:
                left[item] -= 1
            elif at >= horizon:
                late.append(index)
            elif is_lately:
                lately.append(index)
        if is_ambiguous:
            self.ambiguous, lately = len(lately), []
        self._newest = max((at for at, _ in items if at <= latest), default=since)
        self._counted = Counter(item for item in items if item[0] >= self._newest - self._window)
        return sorted([*lately, *late])

    def _remembered(self) -> Counter[Item]:
        """Return everything that is known to be counted."""
        counted = self._counted.copy()
        for stretch in self._stretches:
            counted |= stretch.counted
        return counted

    def _advance(self, items: Sequence[Item], latest: int | None) -> None:
        newest = max((at for at, _ in items if latest is None or at <= latest), default=None)
        if newest is None:
            return
        before, self._newest = self._newest, newest if self._newest is None else max(self._newest, newest)
        horizon = self._newest - self._window
        merged = self._counted | Counter(items)
        if before is not None and before < horizon:
            self._leave(before, merged)
        self._counted = Counter({item: n for item, n in merged.items() if item[0] >= horizon})

    def _leave(self, newest: int, counted: Counter[Item]) -> None:
        """Keep the stretch that ends near *newest*; its last items may have arrived with those after the jump."""
        begin, until = newest - self._window, newest + self._window
        near = Counter({item: n for item, n in counted.items() if begin <= item[0] <= until})
        stretch = Stretch(begin, max((at for at, _ in near), default=newest), near)
        self._stretches = [*self._stretches, stretch][-MAX_STRETCHES:]

    def begin_anew(self) -> None:
        """Forget what was counted before the clock was set back: everything that follows is new."""
        self._newest = None
        self._counted = Counter()

    def look(self) -> Looking:
        """Return a comparison for items that arrive in parts."""
        return Looking(self._window, self.horizon, self._counted.copy(), self._see)

    def _see(self, newest: int, seen: Counter[Item]) -> None:
        """Count the items *seen* in the last seconds before *newest*."""
        self._newest = newest if self._newest is None else max(self._newest, newest)
        horizon = self._newest - self._window
        self._counted = Counter({item: n for item, n in (self._counted | seen).items() if item[0] >= horizon})

    def to_state(self) -> Any:
        """Return the state as JSON-serializable data."""
        stretches = [stretch.to_state() for stretch in self._stretches]
        return {"newest": self._newest, "counted": _rows(self._counted), "stretches": stretches}

    @classmethod
    def from_state(cls, window_seconds: int, state: Any) -> RecentMultiset:
        """Return the multiset that `to_state` has saved."""
        stretches = map(Stretch.from_state, state.get("stretches", ()))
        return cls(window_seconds, state["newest"], _counter(state["counted"]), stretches)


def _rows(counted: Counter[Item]) -> list[list[int]]:
    return [[at, mark, n] for (at, mark), n in counted.items()]


def _counter(rows: Iterable[Sequence[int]]) -> Counter[Item]:
    return Counter({(at, mark): n for at, mark, n in rows})


MAX_SEEN = 50_000


class Looking:
    """A comparison of current items with counted ones, in parts that together hold everything from the horizon on."""

    def __init__(
        self,
        window_seconds: int,
        horizon: int | None,
        left: Counter[Item],
        finish: Callable[[int, Counter[Item]], None],
    ) -> None:
        self._window = window_seconds
        self._horizon = horizon
        self._left = left
        self._finish = finish
        self._newest: int | None = None
        self._seen: Counter[Item] = Counter()

    def take_new(self, items: Sequence[Item]) -> list[int]:
        """Return the indexes of those *items* that were not counted before, in order."""
        new = _take_uncounted(items, self._horizon, self._left)
        if items:
            newest = max(at for at, _ in items)
            self._newest = newest if self._newest is None else max(self._newest, newest)
            self._remember(items, self._newest - self._window)
        return new

    def _remember(self, items: Sequence[Item], since: int) -> None:
        """Keep the items that may be near the next watermark."""
        self._seen.update(item for item in items if item[0] >= since)
        if len(self._seen) > MAX_SEEN:
            self._seen = Counter({item: n for item, n in self._seen.items() if item[0] >= since})

    def finish(self) -> None:
        """Mark the items of all parts as counted."""
        if self._newest is not None:
            self._finish(self._newest, self._seen)


def _take_uncounted(items: Sequence[Item], horizon: int | None, left: Counter[Item]) -> list[int]:
    """Return the indexes of *items* from *horizon* on that are not in *left*, and remove the others from *left*."""
    new = []
    for index, item in enumerate(items):
        if horizon is not None and item[0] < horizon:
            continue
        if left[item] > 0:
            left[item] -= 1
        else:
            new.append(index)
    return new
