"""The files of a web configuration: read with a size limit, and checked for changes."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

Stamps = dict[Path, tuple[int, int, int] | None]
"""By file: modification time, size and inode; ``None`` if it does not exist."""


class FileProblem(Exception):
    """A file is unusable; the message has the reason, without the path."""


def read_regular(path: Path, limit_bytes: int) -> bytes:
    """
    Return the content of a regular file of at most *limit_bytes*.

    Raises `FileProblem` for anything else; a pipe or device is not opened, since that can block forever.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileProblem("is not a regular file")
        # Non-blocking, since the path may have become a pipe since it was checked.
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
    """Return a value that stays equal until a file is replaced, rewritten or removed; links are followed."""
    return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
