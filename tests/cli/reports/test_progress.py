"""Progress bars, on a real terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.reports import wire
from tests.support.reports.commands import COMMAND
from tests.support.rigs.reports import rig
from tests.support.servers.reports import ReportServer, serving
from tests.support.terminal import Terminal, on_a_terminal

COUNT = 60


def command(*arguments: str) -> AbstractContextManager[Terminal]:
    """A report command on a terminal."""
    return on_a_terminal([sys.executable, "-c", COMMAND, *arguments], os.environ, columns=80)


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
