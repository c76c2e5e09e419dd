"""Which of the things that have only a time to the second are new: multisets compared near the watermark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

NEAR_SECONDS = 7200
"""Things so near to each other in time are looked at together after a clock was set back."""

MAX_STRETCHES = 4
"""So many stretches of time that ended with a jump ahead are remembered."""

Item = tuple[int, int]
"""A thing's time in Unix seconds, and a fingerprint that equal things share."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    The end of a stretch of time, after which the newest thing jumped ahead: a clock that is set back may return to it.

    Attributes:
        begin: The second from which on everything that was there is in *counted*.
        end: The second of the newest thing before the jump.
    """

    begin: int
    end: int
    counted: Counter[Item]

    def to_state(self) -> Any:
        """The JSON-able form."""
        return [self.begin, self.end, _rows(self.counted)]

    @classmethod
    def from_state(cls, state: Any) -> Stretch:
        """Back from `to_state`."""
        begin, end, rows = state
        return cls(begin, end, _counter(rows))


class RecentMultiset:
    """
    What has been counted, remembered for the last seconds before the newest thing.

    Things may come a little late and equal things may come several times in a second: near the watermark the things
    seen now are compared, as a multiset, with those counted before. What is older than the window is taken as counted.

    Attributes:
        ambiguous: How many things `take_set_back` has left out because they may have been there before.
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
        """Things before this second are counted already; ``None``: nothing was ever counted."""
        return None if self._newest is None else self._newest - self._window

    def has_any(self, items: Iterable[Item]) -> bool:
        """Whether any of *items* was counted within the window."""
        return any(item in self._counted for item in items)

    def is_ahead_of(self, latest: int) -> bool:
        """Whether something was counted that is newer than *latest*: the clock that stamps it was set back."""
        return self._newest is not None and self._newest > latest

    def adopt(self, items: Sequence[Item], *, latest: int | None) -> None:
        """
        Takes *items* as counted, except those between the watermark and *latest*: they are, under other fingerprints.

        The stretches that are remembered have other fingerprints too, and are forgotten.
        """
        if items:
            newest = self._newest or 0
            self._counted |= Counter(item for item in items if not newest < item[0] <= (latest or item[0]))
            self._stretches = []

    def take_new(self, items: Sequence[Item], *, latest: int | None = None) -> list[int]:
        """
        Indexes of those *items* that have not been counted, in their order; counts them.

        *items* must hold everything that exists at and after `horizon`. What is newer than *latest* was stamped before
        the clock was set back, and does not move the window.
        """
        new = _take_uncounted(items, self.horizon, self._counted.copy())
        self._advance(items, latest)
        return new

    def take_set_back(self, items: Sequence[Item], *, since: int, latest: int) -> list[int]:
        """
        The same for the first *items* after the clock was set back, to somewhere between *since* and *latest*.

        They must reach from `NEAR_SECONDS` before *since* to the newest. What is from *since* on and was not counted
        is new, unless there are others of about that time, so that it may have been there before. Where a stretch that
        is remembered reaches back to *since*, those up to its end tell nothing.
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
        """Everything that is known to be counted."""
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
        """Remembers the stretch that ends near *newest*; things of its end may have come with those after the jump."""
        begin, until = newest - self._window, newest + self._window
        near = Counter({item: n for item, n in counted.items() if begin <= item[0] <= until})
        stretch = Stretch(begin, max((at for at, _ in near), default=newest), near)
        self._stretches = [*self._stretches, stretch][-MAX_STRETCHES:]

    def begin_anew(self) -> None:
        """What was counted was of before the clock was set back: everything that follows is new."""
        self._newest = None
        self._counted = Counter()

    def look(self) -> Looking:
        """Begins to compare things that come in parts."""
        return Looking(self._window, self.horizon, self._counted.copy(), self._see)

    def _see(self, newest: int, seen: Counter[Item]) -> None:
        """Counts what was *seen* of the last seconds before *newest*."""
        self._newest = newest if self._newest is None else max(self._newest, newest)
        horizon = self._newest - self._window
        self._counted = Counter({item: n for item, n in (self._counted | seen).items() if item[0] >= horizon})

    def to_state(self) -> Any:
        """The JSON-able form."""
        stretches = [stretch.to_state() for stretch in self._stretches]
        return {"newest": self._newest, "counted": _rows(self._counted), "stretches": stretches}

    @classmethod
    def from_state(cls, window_seconds: int, state: Any) -> RecentMultiset:
        """Back from `to_state`."""
        stretches = map(Stretch.from_state, state["stretches"])
        return cls(window_seconds, state["newest"], _counter(state["counted"]), stretches)


def _rows(counted: Counter[Item]) -> list[list[int]]:
    return [[at, mark, n] for (at, mark), n in counted.items()]


def _counter(rows: Iterable[Sequence[int]]) -> Counter[Item]:
    return Counter({(at, mark): n for at, mark, n in rows})


MAX_SEEN = 50_000


class Looking:
    """One comparison of what exists with what was counted; its parts together hold all from the horizon on."""

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
        """Indexes of those *items* that have not been counted, in their order."""
        new = _take_uncounted(items, self._horizon, self._left)
        if items:
            newest = max(at for at, _ in items)
            self._newest = newest if self._newest is None else max(self._newest, newest)
            self._remember(items, self._newest - self._window)
        return new

    def _remember(self, items: Sequence[Item], since: int) -> None:
        """Keeps what may stand near the next watermark."""
        self._seen.update(item for item in items if item[0] >= since)
        if len(self._seen) > MAX_SEEN:
            self._seen = Counter({item: n for item, n in self._seen.items() if item[0] >= since})

    def finish(self) -> None:
        """What was seen is counted from now on."""
        if self._newest is not None:
            self._finish(self._newest, self._seen)


def _take_uncounted(items: Sequence[Item], horizon: int | None, left: Counter[Item]) -> list[int]:
    """Return the indexes of *items* from *horizon* on that *left* does not hold, and take the others from *left*."""
    new = []
    for index, item in enumerate(items):
        if horizon is not None and item[0] < horizon:
            continue
        if left[item] > 0:
            left[item] -= 1
        else:
            new.append(index)
    return new
