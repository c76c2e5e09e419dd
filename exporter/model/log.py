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
    A sequence of log lines, newest first, as part of reading a log backwards from its newest line.

    Attributes:
        ended: The log has no older lines, as far as the response shows.
        unreadable: The number of lines that the server skipped because it could not parse them; 0 if it does not
            report them.
        newer_elsewhere: The time of a line that is newer than all of these but in a file that the server reads after
            them; ``None`` if none is known.
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
