"""Small files that settings point at, read with a bound and with failures in words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from exporter.settings.units import KIB, MIB, format_size

SECRET_LIMIT_BYTES = 64 * KIB
CERTIFICATES_LIMIT_BYTES = 4 * MIB


def read_bounded(path: Path, limit_bytes: int, *, regular_only: bool = True) -> bytes:
    """
    The whole of a file of at most *limit_bytes*.

    With *regular_only* a pipe or a device is refused, for opening one can block for ever. Raises `ValueError` that says
    what is wrong with the file, without its path (the caller knows which setting it came from).
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ValueError("the path is a directory, not a file")
        if regular_only and not stat.S_ISREG(mode):
            raise ValueError("the path is not a regular file")
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except OSError as error:
        raise ValueError(_in_words(error)) from None
    if len(content) > limit_bytes:
        raise ValueError(f"the file is larger than {format_size(limit_bytes)}")
    return content


def is_world_readable(path: Path) -> bool:
    """Whether everybody on this machine may read the file; false for one that is gone."""
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def _in_words(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, PermissionError):
        return f"the exporter (user id {os.geteuid()}) has no permission to read the file"
    return f"the file cannot be read ({error.strerror})"
