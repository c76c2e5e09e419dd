"""
The server's list of reports of one kind, and which of them are still to be fetched: no I/O.

The server lists the newest first; we fetch the oldest first. Whatever is accounted for is then older than whatever is
not, and a walk down the list may stop at the first page on which everything is known. Where that does not hold (a
backfill was never finished, a report was put off, the server changed how long it keeps reports) the walk goes to the
end; and now and then it does so anyway.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from exporter.model.report_words import ReportKind

FULL_WALK_SECONDS = 3600
"""A walk to the end of the list at least so often."""

STRIKES = 5
"""So many polls in which a report could not be had, and it is set aside."""

MAX_PENDING = 200_000
"""Ids kept in memory; the newest beyond that wait for the next walk."""


class Inbox:
    """
    Reports of one kind that are still to be fetched.

    Attributes:
        complete: Everything older than the oldest unknown report of the list's first page is accounted for.
        total: How many there were when the list was last walked.
    """

    def __init__(self, kind: ReportKind, state: Any | None = None) -> None:
        self.kind = kind
        self.complete = bool(state and state["complete"])
        self.total = 0
        self._walked_at = int(state["walked_at"]) if state else 0
        self._pending: deque[str] = deque()
        self._strikes: dict[str, int] = {}
        self._gone: set[str] = set()
        self._at_once = MAX_PENDING
        self._full_walk: datetime | None = None

    @property
    def left(self) -> int:
        """How many are still to be fetched."""
        return len(self._pending)

    def must_walk_to_the_end(self, now: datetime) -> bool:
        """Whether a page of known reports does not say that everything behind it is known."""
        return not self.complete or now.timestamp() - self._walked_at >= FULL_WALK_SECONDS

    def walked(self, unknown: Sequence[str], listed: Iterable[str], *, to_the_end: bool, now: datetime) -> None:
        """Takes the *unknown* ids of a walk, newest first; *listed* are all that it saw."""
        self._full_walk = now if to_the_end else None
        if to_the_end:
            present = set(listed)
            self._strikes = {id_: n for id_, n in self._strikes.items() if id_ in present}
            self._gone &= present
        todo = [id_ for id_ in reversed(unknown) if id_ not in self._gone]
        kept = [id_ for id_ in todo if id_ not in self._strikes][:MAX_PENDING]
        self._pending = deque([*kept, *(id_ for id_ in todo if id_ in self._strikes)])
        if len(self._pending) < len(todo):
            self.complete, self._full_walk = False, None
        self.total = self.left

    def take(self, most: int = 1) -> list[str]:
        """
        The next ones, the oldest first, *most* at most; there must be one.

        Fewer after some could not be had together, and one that could not be had before comes by itself.
        """
        taken = [self._pending.popleft()]
        together = 1 if taken[0] in self._strikes else min(most, self._at_once)
        while len(taken) < together and self._pending and self._pending[0] not in self._strikes:
            taken.append(self._pending.popleft())
        return taken

    def put_back(self, ids: Sequence[str]) -> None:
        """They will be the next ones again."""
        self._pending.extendleft(reversed(ids))

    def take_apart(self, ids: Sequence[str]) -> None:
        """They could not be had together: they are the next ones again, one by one, then twice as many each time."""
        self.put_back(ids)
        self._at_once = 1

    def put_off(self, ids: Sequence[str]) -> None:
        """They could not be had, through no fault of their own: others come first."""
        self._pending.extend(ids)
        self.complete = False

    def strike(self, id_: str) -> bool:
        """It could not be had in this poll; true if that has been so too often."""
        self.complete, self._full_walk = False, None
        self._strikes[id_] = self._strikes.get(id_, 0) + 1
        return self._strikes[id_] >= STRIKES

    def gone(self, id_: str) -> None:
        """The server does not have it any more."""
        self._gone.add(id_)

    def accounted_for(self, id_: str) -> None:
        """It is on disk."""
        self._strikes.pop(id_, None)

    def had(self) -> None:
        """What was taken came: the next time it may be twice as much."""
        self._at_once = min(2 * self._at_once, MAX_PENDING)

    def settle(self) -> bool:
        """Whether all of a walk to the end has now been accounted for; true once a walk."""
        if self._pending or self._full_walk is None:
            return False
        self.complete, self._walked_at, self._full_walk = True, int(self._full_walk.timestamp()), None
        return True

    def to_state(self) -> Any:
        """The JSON-able form; what is left and the total are for people."""
        return {"complete": self.complete, "walked_at": self._walked_at, "left": self.left, "total": self.total}
