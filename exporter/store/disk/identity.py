"""
Whether the history file is still the one that was opened.

SQLite keeps the file open and caches much of it, so it does not notice that the file was removed, replaced or
truncated; later writes would then be lost.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


class FileLost(sqlite3.DatabaseError):
    """
    The file at the path is not the one that was opened, or is truncated.

    Attributes:
        reason: ``gone`` or ``corrupt``.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Presence:
    """The current file at *path*; blocks. Raises OSError if there is none."""

    def __init__(self, path: Path) -> None:
        found = os.stat(path)
        self._path = path
        self._file = (found.st_dev, found.st_ino)
        self._size = found.st_size

    def check(self) -> None:
        """Raise `FileLost` if the file was replaced or is shorter than before: our files only grow."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            raise FileLost("gone", "the file was removed while it was in use") from None
        except OSError:
            return  # SQLite will meet the same error and report it
        if (found.st_dev, found.st_ino) != self._file:
            raise FileLost("gone", "another file replaced it")
        if found.st_size < self._size:
            raise FileLost("corrupt", f"the file was truncated from {self._size} to {found.st_size} bytes")
        self._size = found.st_size
