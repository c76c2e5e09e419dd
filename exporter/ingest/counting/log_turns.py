"""
Logs of servers whose clock was set back: read backwards, timestamps then jump to a later time, a turn.

Lines after a turn are newer than all lines before it, regardless of their timestamps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from exporter.ingest.counting.dedup_window import Item, RecentMultiset
from exporter.model.delivery import LogLine, LogPage
from exporter.stalwart.http.server_clock import STEP_SECONDS

_STEP = timedelta(seconds=STEP_SECONDS)


def item_of(line: LogLine) -> Item:
    """Return a line as an item of a multiset."""
    return int(line.at.timestamp()), line.fingerprint


class Junction:
    """
    The place where reading backwards meets lines that are already counted.

    If a turn is found before the last counted lines, the clock was set back since then, and the search goes on behind
    it.

    Attributes:
        horizon: Items before this second are already counted; ``None`` if nothing was ever counted.
        reached: Whether all uncounted lines have been read.
    """

    def __init__(self, recent: RecentMultiset) -> None:
        self.horizon = recent.horizon
        self._recent = recent
        self.begin()

    def begin(self) -> None:
        """Start reading at the newest line; called again for each attempt."""
        self.reached = False
        self._newer_at: datetime | None = None
        self._is_across = self._is_known = False

    @property
    def is_missed(self) -> bool:
        """Whether the clock was set back and none of the last counted lines has been found behind the turn."""
        return self._is_across and not self._is_known

    def take(self, page: LogPage) -> LogPage:
        """Return the lines of the next *page* that are not older than an earlier turn."""
        if self._newer_at is None and page:
            self._is_across = self._recent.is_ahead_of(int((page[0].at + _STEP).timestamp()))
        for index, line in enumerate(page):
            if self._newer_at is not None and line.at - self._newer_at > _STEP and not self.is_missed:
                if self._is_known or self._has_known(page[:index]):
                    self.reached = True
                    return replace(page, lines=page[:index], ended=True)
                self._is_across = True
            self._newer_at = line.at
            if self.is_missed:
                self._is_known = self._has_known((line,))
            elif self.horizon is not None and line.at.timestamp() < self.horizon:
                self.reached = True
        self._is_known = self._is_known or (not self.reached and self._has_known(page))
        return page

    def _has_known(self, lines: Sequence[LogLine]) -> bool:
        return self._recent.has_any(map(item_of, lines))


def since_last_turn(lines: Sequence[LogLine]) -> Sequence[LogLine]:
    """Return those *lines*, newest first, that were written since the clock was last set back."""
    for index in range(1, len(lines)):
        if lines[index].at - lines[index - 1].at > _STEP:
            return lines[:index]
    return lines


class TurnSplitter:
    """Splits lines at turns, from the oldest line to the newest."""

    def __init__(self) -> None:
        self._older_at: datetime | None = None

    def split(self, lines: Sequence[LogLine]) -> Iterator[tuple[bool, Sequence[LogLine]]]:
        """
        Yield the next *lines*, newest first, in parts with the oldest part first.

        Each part comes with whether the clock was set back before it.
        """
        end, turned = len(lines), False
        for index in range(len(lines) - 1, -1, -1):
            at = lines[index].at
            if self._older_at is not None and self._older_at - at > _STEP:
                if end > index + 1:
                    yield turned, lines[index + 1 : end]
                end, turned = index + 1, True
            self._older_at = at
        if end:
            yield turned, lines[:end]
