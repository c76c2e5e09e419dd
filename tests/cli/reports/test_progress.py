"""Progress bars, on a real terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.reports import wire
from tests.support.reports.commands import COMMAND
from tests.support.rigs.reports import rig
from tests.support.servers.reports import ReportServer, serving

COUNT = 60
DEADLINE_SECONDS = 60.0


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

    def status(self) -> int:
        """The exit status, when the command is over."""
        while self._read():
            pass
        return self._process.wait(DEADLINE_SECONDS)

    def _read(self) -> bool:
        try:
            chunk = os.read(self._descriptor, 65536)
        except OSError:  # so a terminal ends
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", chunk.decode(errors="replace"))
        return bool(chunk)


@contextmanager
def command(*arguments: str) -> Iterator[Terminal]:
    """A report command on a terminal."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments], cwd=ROOT, env=environ, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.fixture
def server() -> ReportServer:
    """A server that has received some reports."""
    server = ReportServer()
    start = wire.at("2026-11-20T00:00:00")
    for number in range(COUNT):
        id_ = wire.report_id(start + timedelta(minutes=number), number)
        server.add("dmarc", id_, wire.body(wire.dmarc(f"r-{number}")))
    return server


def test_a_first_backfill_can_be_followed_to_its_end(tmp_path: Path, server: ReportServer):
    """The bar waits for the first list, moves with the reports, and ends with them."""
    path = tmp_path / "h.sqlite3"

    async def act(url: str) -> Terminal:
        async with rig(url, path) as life:
            task = asyncio.ensure_future(life.run())
            loop = asyncio.get_running_loop()

            def stop_halfway(_: str) -> None:
                if len(server.asked_for("/dmarc/")) == COUNT // 2:
                    loop.call_soon_threadsafe(task.cancel)

            with command("status", "--wait", "--store", str(path)) as terminal:
                terminal.read_until("waiting for the daemon")
                server.before = stop_halfway
                await asyncio.gather(task, return_exceptions=True)
                terminal.read_until(rf"fetched .*\b[12]\d/{COUNT}")
                server.before = None
                await life.run()
                assert terminal.status() == 0
                return terminal

    with serving(server) as url:
        terminal = asyncio.run(act(url))

    assert f"{COUNT} reports, 0 rejected, 0 still to fetch." in terminal.shown


def test_an_export_shows_how_far_it_is(tmp_path: Path, server: ReportServer):
    """On the terminal, while the file is written."""
    path, target = tmp_path / "h.sqlite3", tmp_path / "out.json"

    async def act(url: str) -> None:
        async with rig(url, path) as life:
            await life.run()

    with serving(server) as url:
        asyncio.run(act(url))
    with command("export", "--output", str(target), "--store", str(path)) as terminal:
        assert terminal.status() == 0

    assert f"{COUNT}/{COUNT}" in terminal.shown
    assert target.stat().st_size > 0
