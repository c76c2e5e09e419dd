"""Which of the things that have only a time to the second are new: multisets compared near the watermark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

NEAR_SECONDS = 7200
"""Things so near to each other in time are looked at together after a clock was set back."""

Item = tuple[int, int]
"""A thing's time in Unix seconds, and a fingerprint that equal things share."""


class RecentMultiset:
    """
    What has been counted, remembered for the last seconds before the newest thing.

    Things may come a little late and equal things may come several times in a second: near the watermark the things
    seen now are compared, as a multiset, with those counted before. What is older than the window is taken as counted.

    Attributes:
        ambiguous: How many things `take_set_back` has left out because they may have been there before.
    """

    def __init__(
        self, window_seconds: int, newest: int | None = None, counted: Iterable[tuple[Item, int]] = ()
    ) -> None:
        self._window = window_seconds
        self._newest = newest
        self._counted: Counter[Item] = Counter(dict(counted))
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

    def take_new(self, items: Sequence[Item], *, latest: int | None = None) -> list[int]:
        """
        Indexes of those *items* that have not been counted, in their order; counts them.

        *items* must hold everything that exists at and after `horizon`. What is newer than *latest* was stamped before
        the clock was set back, and does not move the window.
        """
        horizon = self.horizon
        left = self._counted.copy()
        new = []
        for index, item in enumerate(items):
            if horizon is not None and item[0] < horizon:
                continue
            if left[item] > 0:
                left[item] -= 1
            else:
                new.append(index)
        self._advance(items, latest)
        return new

    def take_set_back(self, items: Sequence[Item], *, since: int, latest: int) -> list[int]:
        """
        The same for the first *items* after the clock was set back, to somewhere between *since* and *latest*.

        They must reach from `NEAR_SECONDS` before *since* to the newest. What is from *since* on counts unless there
        are others of about that time, so that it may have been there before.
        """
        horizon = self.horizon or 0
        lately = [i for i, (at, _) in enumerate(items) if at < horizon and since <= at <= latest]
        others = (at for at, _ in items if at < horizon and not since <= at <= latest)
        if lately and any(since - NEAR_SECONDS <= at <= latest + NEAR_SECONDS for at in others):
            self.ambiguous, lately = len(lately), []
        left = self._counted.copy()
        late = []
        for index, item in enumerate(items):
            if item[0] >= horizon and left[item] > 0:
                left[item] -= 1
            elif item[0] >= horizon:
                late.append(index)
        self._newest = max((at for at, _ in items if at <= latest), default=since)
        self._counted = Counter(item for item in items if item[0] >= self._newest - self._window)
        return sorted([*lately, *late])

    def _advance(self, items: Sequence[Item], latest: int | None) -> None:
        newest = max((at for at, _ in items if latest is None or at <= latest), default=None)
        if newest is None:
            return
        self._newest = newest if self._newest is None else max(self._newest, newest)
        horizon = self._newest - self._window
        merged = self._counted | Counter(item for item in items if item[0] >= horizon)
        self._counted = Counter({item: n for item, n in merged.items() if item[0] >= horizon})

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
        return {"newest": self._newest, "counted": [[at, mark, n] for (at, mark), n in self._counted.items()]}

    @classmethod
    def from_state(cls, window_seconds: int, state: Any) -> RecentMultiset:
        """Back from `to_state`."""
        return cls(window_seconds, state["newest"], (((at, mark), n) for at, mark, n in state["counted"]))


MOST_SEEN = 50_000


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
        horizon, left = self._horizon, self._left
        new = []
        for index, item in enumerate(items):
            if horizon is not None and item[0] < horizon:
                continue
            if left[item] > 0:
                left[item] -= 1
            else:
                new.append(index)
        if items:
            newest = max(at for at, _ in items)
            self._newest = newest if self._newest is None else max(self._newest, newest)
            self._remember(items, self._newest - self._window)
        return new

    def _remember(self, items: Sequence[Item], since: int) -> None:
        """Keeps what may stand near the next watermark."""
        self._seen.update(item for item in items if item[0] >= since)
        if len(self._seen) > MOST_SEEN:
            self._seen = Counter({item: n for item, n in self._seen.items() if item[0] >= since})

    def finish(self) -> None:
        """What was seen is counted from now on."""
        if self._newest is not None:
            self._finish(self._newest, self._seen)
