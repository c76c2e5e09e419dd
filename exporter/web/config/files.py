"""The files of a web configuration: read with a bound, and noticed when they change."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

Stamps = dict[Path, tuple[int, int, int] | None]
"""By file: time of change, size and inode, or ``None`` if it cannot be found."""


class FileProblem(Exception):
    """A file cannot be used; the message says why, without its path."""


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """
    Return the content of a regular file of at most *limit_bytes*.

    Raises `FileProblem` for anything else; a pipe or a device is not opened, since that can block for ever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileProblem("is not a regular file")
        # Not blocking, for the path may have become a pipe since it was looked at.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise FileProblem(error.strerror or str(error)) from None
    except ValueError:
        raise FileProblem("is not a path") from None
    if len(content) > limit_bytes:
        raise FileProblem(f"larger than {limit_bytes} bytes")
    return content


def stamp_files(paths: Iterable[Path]) -> Stamps:
    """Equal to an earlier answer as long as no file was replaced, rewritten or removed; links are followed."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
