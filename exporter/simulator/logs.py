"""The server's log files, and the way `/api/logs` reads them backwards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_LINES = 400_000


class LogFiles:
    """
    Log files by name, oldest line first in each.

    Attributes:
        files: Only ever written at the end of the newest; above `MAX_LINES` lines the oldest are forgotten.
    """

    def __init__(self) -> None:
        self.files: dict[str, list[str]] = {}
        self._current = ""
        self._lines = 0

    def append(self, date: str, line: str) -> None:
        """Write one line into the file of the day, or into a newer one if rotation has opened it."""
        name = max(f"stalwart.log.{date}", self._current)
        if name != self._current:
            self._open(name)
        self.files[name].append(line)
        self._lines += 1
        if self._lines > MAX_LINES:
            self._forget()

    def rotate(self) -> None:
        """Begin a new file; later lines go there, and readers see it first."""
        number = len([name for name in self.files if name.startswith(self._current)])
        self._open(f"{self._current}.{number:04d}" if self._current else "stalwart.log")

    def _open(self, name: str) -> None:
        self._current = name
        self.files[name] = []

    def _forget(self) -> None:
        oldest = self.files[min(self.files)]
        dropped = max(len(oldest) // 2, 1)
        del oldest[:dropped]
        self._lines -= dropped
        if not oldest and len(self.files) > 1:
            del self.files[min(self.files)]

    def backwards(self) -> Iterator[str]:
        """Every line, files by name descending, each from its end."""
        for name in sorted(self.files, reverse=True):
            yield from reversed(self.files[name])

    def read(self, text: str, page: int, limit: int) -> dict[str, Any]:
        """
        One page as `/api/logs` answers it.

        `total` is the matching lines read so far, plus `limit` if any line or file is left; `limit` 0 reads all.
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
            entry = _parse(line)
            if entry is not None:
                items.append(entry)
                if len(items) == limit:
                    return {"items": items, "total": total + (limit if next(lines, None) is not None else 0)}
        return {"items": items, "total": total}


def _parse(line: str) -> dict[str, str] | None:
    """A line split at its first blanks and brackets; None if it has not the form of a log line."""
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
