"""The server's log files, and how `/api/logs` and `x:Log` read them backwards."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any

MAX_LINES = 400_000
COLOUR = re.compile("\x1b\\[[0-9;]*m")


class LogFiles:
    """
    Log files by name, oldest line first in each.

    Attributes:
        files: Written only at the end of the newest; beyond `most_lines` lines the oldest are dropped.
    """

    def __init__(self) -> None:
        self.most_lines = MAX_LINES
        self.files: dict[str, list[str]] = {}
        self._starts: dict[str, list[int]] = {}
        self._sizes: dict[str, int] = {}
        self._current = ""
        self._lines = 0

    def append(self, date: str, line: str) -> None:
        """Append a line to the file of the day, or to a newer one that rotation has opened."""
        name = max(f"stalwart.log.{date}", self._current)
        if name != self._current:
            self._open(name)
        self.files[name].append(line)
        self._starts[name].append(self._sizes[name])
        self._sizes[name] += len(line.encode()) + 1
        self._lines += 1
        if self._lines > self.most_lines:
            self._forget()

    def rotate(self) -> None:
        """Start a new file; later lines are written to it, and readers see it first."""
        number = len([name for name in self.files if name.startswith(self._current)])
        self._open(f"{self._current}.{number:04d}" if self._current else "stalwart.log")

    def copy_aside(self) -> None:
        """Copy the newest file to its name with a suffix, and truncate it in place."""
        copy = f"{self._current}.1"
        self.files[copy], self._starts[copy] = self.files[self._current], self._starts[self._current]
        self._sizes[copy] = self._sizes[self._current]
        self._open(self._current)

    def empty(self) -> None:
        """Truncate every file in place."""
        for name in self.files:
            self.files[name], self._starts[name], self._sizes[name] = [], [], 0

    def size_bytes(self) -> int:
        """Return the size of all files."""
        return sum(self._sizes[name] for name in self.files)

    def _open(self, name: str) -> None:
        self._current = name
        self.files[name] = []
        self._starts[name] = []
        self._sizes[name] = 0

    def _forget(self) -> None:
        oldest = self.files[min(self.files)]
        dropped = max(len(oldest) // 2, 1)
        del oldest[:dropped]
        del self._starts[min(self.files)][:dropped]
        self._lines -= dropped
        if not oldest and len(self.files) > 1:
            del self.files[min(self.files)]

    def backwards(self) -> Iterator[str]:
        """Yield every line, files by name descending, each from its end."""
        for name in sorted(self.files, reverse=True):
            yield from reversed(self.files[name])

    def places(self, before: tuple[int, int] | None = None) -> Iterator[tuple[int, int, str]]:
        """
        Yield every line backwards with its place: the number of its file, 0 being the newest by name, and its first
        byte.

        With `before`, only the lines before that place, and none if no line begins there.
        """
        for number, name in enumerate(sorted(self.files, reverse=True)):
            lines, starts = self.files[name], self._starts[name]
            end = len(lines)
            if before is not None:
                if number < before[0]:
                    continue
                if number == before[0]:
                    end = bisect_left(starts, before[1])
                    if end == len(starts) or starts[end] != before[1]:
                        return
            for place in range(end - 1, -1, -1):
                yield number, starts[place], lines[place]

    def line_at(self, number: int, start: int) -> str | None:
        """Return the line at a byte offset of a file, numbered as in `places`; None if no line begins there."""
        names = sorted(self.files, reverse=True)
        if number >= len(names):
            return None
        starts = self._starts[names[number]]
        place = bisect_left(starts, start)
        return self.files[names[number]][place] if place < len(starts) and starts[place] == start else None

    def read(self, text: str, page: int, limit: int) -> dict[str, Any]:
        """
        Return one page as `/api/logs` does.

        `total` is the number of matching lines read so far, plus `limit` if any line or file is left; `limit` 0 reads
        all.
        """
        skip = max(page - 1, 0) * limit
        items: list[dict[str, str]] = []
        total = 0
        lines = self.backwards()
        for line in lines:
            if text and text not in line:
                continue
            total += 1
            if skip:
                skip -= 1
                continue
            entry = parse_line(line)
            if entry is not None:
                items.append(entry)
                if len(items) == limit:
                    return {"items": items, "total": total + (limit if next(lines, None) is not None else 0)}
        return {"items": items, "total": total}


def without_colours(line: str) -> str:
    """Return a line as the JMAP generation reads it."""
    return COLOUR.sub("", line) if "\x1b" in line else line


def parse_line(line: str) -> dict[str, str] | None:
    """Split a line at its first blanks and brackets; None if it does not have the form of a log line."""
    timestamp, _, rest = line.partition(" ")
    log_level, _, rest = rest.strip().partition(" ")
    event, opened, rest = rest.partition(" (")
    event_id, closed, details = rest.partition(")")
    if not opened or not closed or not timestamp.endswith("Z"):
        return None
    return {
        "timestamp": timestamp,
        "level": log_level,
        "event": event.strip(),
        "event_id": event_id,
        "details": details.strip(),
    }
