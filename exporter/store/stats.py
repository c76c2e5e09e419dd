"""Statistics of the history file, for self metrics and the pages."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from exporter.store.disk.identity import FileLost

DURATION_BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0)

REASONS = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "readonly",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_IOERR: "io",
    sqlite3.SQLITE_CANTOPEN: "io",
}

LOST = ("gone", "corrupt")
"""Reasons that do not disappear by waiting."""

UNREADABLE = "unreadable"
"""A saved value that cannot be parsed; SQLite itself reports no error."""

OTHER = "other"


@dataclass(slots=True)
class StoreStats:
    """
    Statistics of one file.

    Attributes:
        ok: Whether the last operation succeeded.
        error: SQLite's message if it failed.
        errors: Number of failures by reason; all reasons are present from the start, so that a first failure is an
            increase.
        trail_bytes: Estimated size of the trail; ``None`` before the first measurement.
        trail_oldest_at: When the oldest of it happened, in Unix seconds; ``None`` if it is empty.
    """

    ok: bool = True
    error: str = ""
    errors: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys((*REASONS.values(), *LOST, UNREADABLE, OTHER), 0)
    )
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATION_BOUNDS) + 1))
    duration_sum: float = 0.0
    size_bytes: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    trail_bytes: int | None = None
    trail_oldest_at: int | None = None

    def succeeded(self, seconds: float) -> None:
        """Record a transaction that took *seconds*."""
        self.ok, self.error = True, ""
        self.durations[sum(seconds > bound for bound in DURATION_BOUNDS)] += 1
        self.duration_sum += seconds

    def failed(self, error: sqlite3.Error) -> str:
        """Count a failed operation and return its reason."""
        reason = _reason(error)
        self.ok, self.error = False, str(error)
        self.errors[reason] += 1
        return reason


def _reason(error: sqlite3.Error) -> str:
    if isinstance(error, FileLost):
        return error.reason
    code = getattr(error, "sqlite_errorcode", None)
    return REASONS.get(code & 0xFF, OTHER) if code is not None else OTHER
