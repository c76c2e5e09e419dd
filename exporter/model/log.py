"""Part of a server's log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

from exporter.model.delivery import LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage(Sequence[LogLine]):
    """
    Part of a server's log, read backwards from its newest line: a sequence of lines, newest first.

    Attributes:
        ended: The log has no older lines than these, as far as this answer shows.
        unreadable: How many lines of the log's files the server passed over because it could not parse them; 0 where
            it does not report them.
        newer_elsewhere: When a line was written that is newer than all of these and stands in a file that the server
            reads after them; ``None`` where none is known.
        place: Where the page ends, for the client that read it.
    """

    lines: Sequence[LogLine]
    ended: bool
    unreadable: int = 0
    newer_elsewhere: datetime | None = None
    place: object = None

    def __len__(self) -> int:
        return len(self.lines)

    @overload
    def __getitem__(self, index: int) -> LogLine: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[LogLine]: ...

    def __getitem__(self, index: int | slice) -> LogLine | Sequence[LogLine]:
        return self.lines[index]
