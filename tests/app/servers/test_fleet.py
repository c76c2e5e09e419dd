"""The fleet in one process: building, swapping and stopping servers; what goes wrong around one task stays with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.app.servers.fleet import Fleet
from exporter.errors import SettingsError
from exporter.settings import ServerSettings
from exporter.simulator import StandIn
from tests.support.certificates import Authority
from tests.support.rigs.fleet import (
    HANG_GUARD_SECONDS,
    delivered,
    fleet_on,
    history_in,
    reached,
    server,
    watch_one_delivery,
    watching,
)
from tests.support.servers.raw import run
from tests.support.standin import community, mail


class Surprise(Exception):
    """What nobody has thought of."""


@asynccontextmanager
async def fleet_of(directory: Path) -> AsyncIterator[Fleet]:
    """A fleet without servers and its history, ended in order."""
    async with history_in(directory) as store, fleet_on(store) as fleet:
        yield fleet


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


def test_changed_settings_swap_the_runtime_and_keep_the_tallies(tmp_path: Path):
    """The new runtime continues with the same counts, counts what follows, and counts nothing again."""

    async def scenario(server: StandIn) -> None:
        async with fleet_of(tmp_path) as fleet:
            await watch_one_delivery(fleet, server)
            (before,) = fleet.servers

            changed = watching(server.url, max_domains=3)
            await fleet.swap(await fleet.prepare([changed]))

            (after,) = fleet.servers
            assert after is not before
            assert after.settings == changed
            assert delivered(fleet) == {"delivered": 1}
            await asyncio.to_thread(mail, server, "b@ok.test")
            await reached(fleet, lambda: delivered(fleet) == {"delivered": 2})

    with capture_logs(), StandIn(community()) as server:
        run(scenario(server))


def test_the_same_settings_keep_the_runtime(tmp_path: Path):
    """A reload that changes one server does not touch the other."""

    async def scenario() -> None:
        async with fleet_of(tmp_path) as fleet:
            await fleet.swap(await fleet.prepare([server("mx1"), server("mx2")]))
            kept, _ = fleet.servers

            await fleet.swap(await fleet.prepare([server("mx1"), server("mx3")]))

            assert [watched.settings.name for watched in fleet.servers] == ["mx1", "mx3"]
            assert fleet.servers[0] is kept

    with capture_logs():
        run(scenario())


async def cancelled_swap(fleet: Fleet, wanted: list[ServerSettings]) -> None:
    """Begin to swap the servers for *wanted* and cancel that while the old tasks end."""
    swap = asyncio.create_task(fleet.swap(await fleet.prepare(wanted)))
    await asyncio.sleep(0)
    swap.cancel()
    await asyncio.wait([swap])
    assert swap.cancelled()


def test_a_stop_in_the_middle_of_a_swap_ends_every_task(tmp_path: Path):
    """SIGTERM during a reload cancels the swap; the stop that follows leaves nothing behind."""

    async def scenario() -> None:
        async with history_in(tmp_path) as store, fleet_on(store) as fleet:
            await fleet.swap(await fleet.prepare([server("mx1"), server("mx2")]))

            await cancelled_swap(fleet, [server("mx1"), server("mx3")])
            await fleet.stop()

            assert list(fleet.servers) == []
            assert [task for task in asyncio.all_tasks() if "mx" in task.get_name()] == []

    with capture_logs():
        run(scenario())
