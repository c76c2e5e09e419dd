"""
The server's list of reports of one kind, and which of them are still to be fetched; no I/O.

The server lists the newest report first, and we fetch the oldest first. Recorded reports are therefore older than all
others, and a walk down the list may stop at the first page without unknown ids. After an interrupted backfill, a
postponed report or a change of the server's retention this does not hold, and the walk goes to the end, as it also does
at regular intervals.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from exporter.model.report_words import ReportKind

FULL_WALK_SECONDS = 3600
"""The longest time between two walks to the end of the list."""

STRIKES = 5
"""After this many polls in which a report could not be fetched it is recorded as unreadable."""

MAX_PENDING = 200_000
"""Ids kept in memory; newer ones wait for the next walk."""


class Inbox:
    """
    Reports of one kind that are still to be fetched.

    Attributes:
        complete: Whether everything older than the oldest unknown report of the list's first page is recorded.
        total: The number of reports to fetch after the last walk.
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
        """The number of reports still to be fetched."""
        return len(self._pending)

    def must_walk_to_the_end(self, now: datetime) -> bool:
        """Return whether unknown reports may follow a page of known ones."""
        return not self.complete or now.timestamp() - self._walked_at >= FULL_WALK_SECONDS

    def walked(self, unknown: Sequence[str], listed: Iterable[str], *, to_the_end: bool, now: datetime) -> None:
        """Replace the pending ids by the *unknown* ids of a walk, newest first; *listed* are all ids that it saw."""
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
        Remove and return the next ids, oldest first, *most* at most. Requires a pending id.

        Returns fewer after a failed batch; an id that failed before is returned alone.
        """
        taken = [self._pending.popleft()]
        together = 1 if taken[0] in self._strikes else min(most, self._at_once)
        while len(taken) < together and self._pending and self._pending[0] not in self._strikes:
            taken.append(self._pending.popleft())
        return taken

    def put_back(self, ids: Sequence[str]) -> None:
        """Put *ids* back at the front."""
        self._pending.extendleft(reversed(ids))

    def take_apart(self, ids: Sequence[str]) -> None:
        """Put back a batch that failed: its ids are returned one by one, and batches double with each success."""
        self.put_back(ids)
        self._at_once = 1

    def put_off(self, ids: Sequence[str]) -> None:
        """Postpone *ids* after a failure that other reports share: they move to the back."""
        self._pending.extend(ids)
        self.complete = False

    def strike(self, id_: str) -> bool:
        """Record a failure of *id_* in this poll; return whether it has failed too often."""
        self.complete, self._full_walk = False, None
        self._strikes[id_] = self._strikes.get(id_, 0) + 1
        return self._strikes[id_] >= STRIKES

    def gone(self, id_: str) -> None:
        """Record that the server no longer has *id_*."""
        self._gone.add(id_)

    def accounted_for(self, id_: str) -> None:
        """Record that *id_* is saved."""
        self._strikes.pop(id_, None)

    def had(self) -> None:
        """Record a success: the next batch may be twice as large."""
        self._at_once = min(2 * self._at_once, MAX_PENDING)

    def settle(self) -> bool:
        """Return whether everything from a walk to the end is now recorded; true once per walk."""
        if self._pending or self._full_walk is None:
            return False
        self.complete, self._walked_at, self._full_walk = True, int(self._full_walk.timestamp()), None
        return True

    def to_state(self) -> Any:
        """Return the state as JSON-serializable data; ``left`` and ``total`` are informational."""
        return {"complete": self.complete, "walked_at": self._walked_at, "left": self.left, "total": self.total}
