"""Small files that settings refer to, read with a size limit and readable errors."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from exporter.units import KIB, MIB, format_size

SECRET_LIMIT_BYTES = 64 * KIB
CERTIFICATES_LIMIT_BYTES = 4 * MIB


def read_bounded(path: Path, limit_bytes: int, *, regular_only: bool = True) -> bytes:
    """
    Return the whole content of a file of at most *limit_bytes*.

    With *regular_only* a pipe or device is rejected, since opening one can block forever. Raises `ValueError` with a
    message that does not contain the path (the caller knows the setting).
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
    """Return whether every user of this machine may read the file; false if it does not exist."""
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
