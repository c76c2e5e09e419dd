"""A command on a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tests.support.exporter import wait_until
from tests.support.paths import ROOT

DEADLINE_SECONDS = 120.0


class Terminal:
    """
    What a command shows on a terminal.

    Attributes:
        shown: All of it so far, without colours.
    """

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.shown = ""
        self._process = process
        self._descriptor = descriptor

    def read_until(self, pattern: str) -> None:
        """Returns once *pattern* has been shown; fails if it is not within the deadline, or at the end."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            assert self._read(), f"{pattern!r} was not shown: {self.shown}"

    def wait_until_hidden(self) -> None:
        """Returns once what is typed is not shown; turning that off discards what was typed before."""
        wait_until(lambda: not termios.tcgetattr(self._descriptor)[3] & termios.ECHO, what="input is hidden")

    def write(self, text: str) -> None:
        """Types *text*."""
        os.write(self._descriptor, text.encode())

    def status(self) -> int:
        """The exit status, when the command is over."""
        while self._read():
            pass
        return self._process.wait(DEADLINE_SECONDS)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], DEADLINE_SECONDS)
        assert ready, f"nothing was shown for {DEADLINE_SECONDS:g} s: {self.shown}"
        try:
            chunk = os.read(self._descriptor, 65536)
        except OSError:  # so a terminal ends
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", chunk.decode(errors="replace"))
        return bool(chunk)


@contextmanager
def on_a_terminal(command: Sequence[str], environ: Mapping[str, str], *, columns: int = 160) -> Iterator[Terminal]:
    """Runs *command* in the project's folder, on a terminal that by default is wide enough for its tables."""
    ours, theirs = pty.openpty()
    environ = {**environ, "COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen([*command], cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
