"""How long to wait for a history file that another process has locked, and when to give up for good."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

BUSY_SECONDS = 5.0
RETRY_SECONDS = 0.02
"""Between two attempts at a locked file, like SQLite's own busy handler."""

CHECK_EVERY = 100_000
"""SQLite virtual machine instructions between two looks at the clock, about 10 ms."""


class Patience:
    """
    Waits up to *busy_seconds* for each lock, but not past the deadline set by `end_within`.

    Its methods are called in SQLite's thread, except `end_within`.
    """

    def __init__(self, *, busy_seconds: float = BUSY_SECONDS) -> None:
        self._busy_seconds = busy_seconds
        self._ends_at = math.inf

    def end_within(self, seconds: float) -> None:
        """Set a deadline in *seconds* for all work on the file; what has not succeeded by then fails."""
        self._ends_at = min(self._ends_at, time.monotonic() + seconds)

    def watch(self, connection: sqlite3.Connection) -> None:
        """Interrupt any statement of *connection* that passes the deadline."""
        connection.set_progress_handler(lambda: time.monotonic() >= self._ends_at, CHECK_EVERY)

    def retry(self, work: Callable[[], T]) -> T:
        """
        Return the result of *work*, calling it again while another process has locked the file.

        *work* must have no effect when it meets the lock. Raises `sqlite3.OperationalError` after the last attempt.
        """
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                return work()
            except sqlite3.OperationalError as error:
                is_busy = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == sqlite3.SQLITE_BUSY
                if not is_busy or time.monotonic() >= min(deadline, self._ends_at):
                    raise
            time.sleep(RETRY_SECONDS)
