"""Disks that fill up and turn read-only, and files that others have locked, for real."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


class SmallDisk:
    """
    A file system of its own in memory.

    Attributes:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def resize(self, kibibytes: int) -> None:
        """From now on it holds so much."""
        self._remount(f"size={kibibytes}k")

    def protect(self, *, readonly: bool) -> None:
        """Nothing can be written, or everything again."""
        self._remount("ro" if readonly else "rw")

    def _remount(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", str(self.folder)], check=True, capture_output=True)


@contextmanager
def protected(*files: Path) -> Iterator[bool]:
    """Nobody may write to *files* any more, whoever has them open; false where nobody may say so."""
    names = list(map(str, files))
    done = subprocess.run(["chattr", "+i", *names], check=False, capture_output=True).returncode == 0
    try:
        yield done
    finally:
        subprocess.run(["chattr", "-i", *names], check=done, capture_output=True)


@contextmanager
def small_disk(folder: Path, *, kibibytes: int) -> Iterator[SmallDisk | None]:
    """A disk of *kibibytes*; ``None`` where nobody may mount one, and the test takes its other means."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


@contextmanager
def locked(history: Path) -> Iterator[None]:
    """Another program holds the lock for writing."""
    with closing(sqlite3.connect(history, isolation_level=None, timeout=30)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
