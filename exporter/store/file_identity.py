"""
Whether the history file is still the one that was opened.

SQLite holds it open and remembers much of it, so it does not notice by itself that the file was removed, replaced or
cut; what it writes then is lost.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path


class FileLost(sqlite3.DatabaseError):
    """
    The file at the path is not what was opened, or not whole.

    Attributes:
        reason: ``gone`` or ``corrupt``.
    """

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Presence:
    """The file at *path* as it is now; blocking, so not for the event loop. Raises OSError if there is none."""

    def __init__(self, path: Path) -> None:
        found = os.stat(path)
        self._path = path
        self._file = (found.st_dev, found.st_ino)
        self._size = found.st_size

    def check(self) -> None:
        """Raises `FileLost` if it is another one, or shorter than it was: with us it only grows."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            raise FileLost("gone", "the file was removed while it was in use") from None
        except OSError:
            return  # whatever it is, SQLite will meet it and say so
        if (found.st_dev, found.st_ino) != self._file:
            raise FileLost("gone", "another file replaced it")
        if found.st_size < self._size:
            raise FileLost("corrupt", f"the file was truncated from {self._size} to {found.st_size} bytes")
        self._size = found.st_size
