"""The watched servers in one process: what goes wrong around one task stays with it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.app.fleet import Fleet
from exporter.clock import SystemClock
from exporter.collectors.exposition import Exposition
from exporter.errors import SettingsError
from exporter.settings import ServerSettings
from exporter.store.store import Store
from tests.support.certificates import Authority
from tests.support.servers.raw import run

NOWHERE = "http://127.0.0.1:1"
HANG_GUARD_SECONDS = 30


class Surprise(Exception):
    """What nobody has thought of."""


def server(name: str) -> ServerSettings:
    return ServerSettings(name=name, url=NOWHERE, token="secret-token", intervals={"queue": 30})


@asynccontextmanager
async def fleet_of(directory: Path) -> AsyncIterator[Fleet]:
    """A fleet without servers and its history, ended in order."""
    clock = SystemClock()
    store = await Store.open(directory / "history.sqlite3", now=clock.now())
    try:
        async with asyncio.TaskGroup() as group:
            exposition = Exposition(extra=lambda _: b"", monotonic=clock.monotonic)
            fleet = Fleet(group, store, exposition, clock=clock, rng=random.Random(1))  # noqa: S311 - jitter
            try:
                yield fleet
            finally:
                await fleet.stop()
    finally:
        await store.aclose()


class OddListener:
    """
    Raises once, in the task of that name: a bug outside every job.

    Attributes:
        raised: Set once it has.
        heard_again: Set once the task, begun again, has changed something.
    """

    def __init__(self, task: str) -> None:
        self._task = task
        self.raised = asyncio.Event()
        self.heard_again = asyncio.Event()

    def __call__(self) -> None:
        current = asyncio.current_task()
        if current is None or current.get_name() != self._task:
            return
        if self.raised.is_set():
            self.heard_again.set()
            return
        self.raised.set()
        raise Surprise


@pytest.mark.parametrize("task", ["detection", "queue"])
def test_a_bug_outside_a_job_ends_neither_its_server_nor_the_others(tmp_path: Path, task: str):
    """It is counted where the task belongs, the task begins again, and the sibling's tasks never ended."""

    async def scenario() -> None:
        async with fleet_of(tmp_path) as fleet:
            listener = OddListener(f"mx1-{task}")
            fleet.subscribe(listener)

            await fleet.swap(await fleet.prepare([server("mx1"), server("mx2")]))
            async with asyncio.timeout(HANG_GUARD_SECONDS):
                await listener.heard_again.wait()

            odd, sibling = fleet.boards
            failures = odd.detection_failures if task == "detection" else odd.collectors[task].failures
            assert failures["internal"] == 1
            assert sibling.detection_failures == {}
            assert all("internal" not in health.failures for health in sibling.collectors.values())

    with capture_logs() as logs:
        run(scenario())

    assert [(log["server"], log["task"]) for log in logs if log["event"] == "task.ended"] == [("mx1", task)]


def test_a_server_that_cannot_be_built_leaves_the_others_watched(tmp_path: Path):
    """A key that does not fit its certificate ends the preparation and no task of the present servers."""

    async def scenario() -> None:
        async with fleet_of(tmp_path) as fleet:
            await fleet.swap(await fleet.prepare([server("mx1")]))
            (before,) = fleet.servers
            authority = Authority(tmp_path, "ca")
            one, other = (authority.issue(name, "DNS:client.example.test") for name in ("one", "other"))
            tls = {"cert_file": str(one.cert), "key_file": str(other.key)}
            bad = ServerSettings(name="mx2", url="https://127.0.0.1:1", token="secret-token", tls=tls)

            with pytest.raises(SettingsError, match="key_file"):
                await fleet.prepare([server("mx1"), bad])

            assert list(fleet.servers) == [before]

    with capture_logs():
        run(scenario())
