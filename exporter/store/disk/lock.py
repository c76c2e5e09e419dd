"""Locks that prevent a second daemon from using a history file, under any of the file's names."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from pathlib import Path

from exporter.errors import StoreError

OWNER_ONLY = 0o600
DIRECTORY_OWNER_ONLY = 0o700
SIDE_FILES = ("", "-wal", "-shm")

LOCKED_BYTE = 1 << 40
"""Offset of the locked byte, which need not exist; SQLite's own locks are around 1 << 30."""

ATTEMPTS = 10
"""Attempts at a file that is replaced between opening and locking."""


class HistoryLock:
    """
    Two locks: on ``NAME.lock`` beside the file, and on a byte of the file.

    The first holds while the file itself is replaced, the second also protects its other names (hard links). *path* has
    symbolic links resolved. Every method blocks, and raises `StoreError` if another daemon holds a lock or a file
    cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        try:
            path.parent.mkdir(mode=DIRECTORY_OWNER_ONLY, parents=True, exist_ok=True)
            self._name = _open(path.with_name(path.name + ".lock"))
        except OSError as error:
            raise StoreError(f"cannot write to the directory of {path}: {error.strerror}") from error
        try:
            self._lock(self._name)
            self.take_file()
        except BaseException:
            self.close()
            raise

    def take_file(self) -> None:
        """Lock the file that is at the path now, creating it if necessary, and release the file locked before."""
        for _ in range(ATTEMPTS):
            handle = self._open_file()
            if self._file is not None and _is_same(os.fstat(self._file), os.fstat(handle)):
                os.close(handle)
                return
            try:
                self._lock(handle)
            except StoreError:
                os.close(handle)
                raise
            before, self._file = self._file, handle
            if before is not None:
                os.close(before)
            with contextlib.suppress(FileNotFoundError):
                if _is_same(os.fstat(handle), os.stat(self._path)):
                    return
        raise StoreError(f"cannot use {self._path}: it keeps being replaced")

    def close(self) -> None:
        """Release the locks; all connections to the file must be closed."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
        os.close(self._name)

    def _open_file(self) -> int:
        try:
            return _open(self._path)
        except OSError as error:
            raise StoreError(f"cannot use {self._path}: {error.strerror}") from error

    def _lock(self, handle: int) -> None:
        # A lock of the open file; a lock of the process would be lost whenever SQLite closes the file.
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, LOCKED_BYTE, 1, 0)
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, request)
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise StoreError(f"{self._path} is in use by another stalwart-exporter") from error
            raise StoreError(f"cannot lock {self._path}: {error.strerror}") from error


def make_private(path: Path) -> None:
    """Remove the access of group and others to the history at *path*, as far as we own it."""
    for suffix in SIDE_FILES:
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if os.stat(f"{path}{suffix}").st_mode & 0o077:
                os.chmod(f"{path}{suffix}", OWNER_ONLY)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)


def _is_same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
