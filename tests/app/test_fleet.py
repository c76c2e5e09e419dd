"""The fleet in one process: building, swapping and stopping servers; what goes wrong around one task stays with it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.app.fleet import Fleet
from exporter.clock import SystemClock
from exporter.collectors.exposition import Exposition
from exporter.errors import SettingsError, StoreError
from exporter.settings import ServerSettings
from exporter.simulator import StandIn
from exporter.store.store import Store
from tests.support.certificates import Authority
from tests.support.disks import locked
from tests.support.servers.raw import run
from tests.support.standin import WATCHER, community, mail

NOWHERE = "http://127.0.0.1:1"
HANG_GUARD_SECONDS = 30


class Surprise(Exception):
    """What nobody has thought of."""


def server(name: str) -> ServerSettings:
    return ServerSettings(name=name, url=NOWHERE, token="secret-token", intervals={"queue": 30})


@asynccontextmanager
async def history_in(directory: Path) -> AsyncIterator[Store]:
    """The history file, closed at the end."""
    store = await Store.open(directory / "history.sqlite3", now=SystemClock().now())
    try:
        yield store
    finally:
        await store.aclose()


@asynccontextmanager
async def fleet_on(store: Store) -> AsyncIterator[Fleet]:
    """A fleet without servers, stopped at the end."""
    clock = SystemClock()
    async with asyncio.TaskGroup() as group:
        exposition = Exposition(extra=lambda _: b"", monotonic=clock.monotonic)
        fleet = Fleet(group, store, exposition, clock=clock, rng=random.Random(1))  # noqa: S311 - jitter
        try:
            yield fleet
        finally:
            await fleet.stop()


@asynccontextmanager
async def fleet_of(directory: Path) -> AsyncIterator[Fleet]:
    """A fleet without servers and its history, ended in order."""
    async with history_in(directory) as store, fleet_on(store) as fleet:
        yield fleet


def watching(url: str, **settings: object) -> ServerSettings:
    """The settings of ``mx1`` at *url*, whose log is read every second."""
    return ServerSettings(
        name="mx1",
        url=url,
        username=WATCHER[0],
        password=WATCHER[1],
        max_requests_per_minute=10_000,
        intervals={"logs": 1, "queue": 1},
        streams={"transport": "off"},
        **settings,
    )


async def reached(fleet: Fleet, condition: Callable[[], bool]) -> None:
    """Return once *condition* holds, which is looked at after each change of the fleet."""
    changed = asyncio.Event()
    fleet.subscribe(changed.set)
    async with asyncio.timeout(HANG_GUARD_SECONDS):
        while not condition():
            await changed.wait()
            changed.clear()


def delivered(fleet: Fleet) -> dict[str, int]:
    """The deliveries of the only server by outcome."""
    (board,) = fleet.boards
    totals: Counter[str] = Counter()
    for (outcome, *_), number in board.tallies.family("deliveries").items():
        totals[outcome] += number
    return dict(totals)


async def watch_one_delivery(fleet: Fleet, server: StandIn) -> None:
    """Have *fleet* watch *server*, which then delivers a message; return once that is counted."""
    await fleet.swap(await fleet.prepare([watching(server.url)]))
    await reached(fleet, lambda: fleet.boards[0].collectors["logs"].success is True)
    await asyncio.to_thread(mail, server, "a@ok.test")
    await reached(fleet, lambda: delivered(fleet) == {"delivered": 1})


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


def test_a_history_that_cannot_be_read_ends_the_preparation_and_leaves_everything(tmp_path: Path):
    """The server that is watched keeps its runtime, and its tasks run on."""

    async def scenario() -> None:
        async with history_in(tmp_path) as store, fleet_on(store) as fleet:
            await fleet.swap(await fleet.prepare([server("mx1")]))
            (before,) = fleet.servers
            await store.aclose()

            with pytest.raises(StoreError):
                await fleet.prepare([server("mx1"), server("mx2")])

            assert list(fleet.servers) == [before]
            assert "mx1-queue-supervisor" in {task.get_name() for task in asyncio.all_tasks()}

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


def test_stopping_saves_what_the_file_did_not_take_before(tmp_path: Path):
    """Deliveries that were counted while another program had the file locked are on disk after the stop."""

    async def scenario(server: StandIn) -> None:
        async with history_in(tmp_path) as store, fleet_on(store) as fleet:
            await watch_one_delivery(fleet, server)
            with locked(tmp_path / "history.sqlite3"):
                await asyncio.to_thread(mail, server, "b@ok.test")
                await reached(fleet, lambda: delivered(fleet) == {"delivered": 2})

            await fleet.stop()

            assert list(fleet.servers) == []
            saved = await store.load_tallies("mx1")
            assert sum(n for (name, _), n in saved.items() if name == "deliveries") == 2

    with capture_logs(), StandIn(community()) as server:
        run(scenario(server))


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


def test_another_history_is_adopted_with_what_it_knows(tmp_path: Path):
    """Every server is watched again over its connection, with the counts of the new file."""

    async def scenario() -> None:
        (tmp_path / "other").mkdir()
        async with history_in(tmp_path) as store, history_in(tmp_path / "other") as other:
            await other.save("mx1", tallies={("deliveries", ("delivered", "", "", "")): 7}, watermarks={}, seen=())
            async with fleet_on(store) as fleet:
                await fleet.swap(await fleet.prepare([server("mx1")]))
                (before,) = fleet.servers

                await fleet.adopt(other)

                (after,) = fleet.servers
                assert after.connection is before.connection
                assert delivered(fleet) == {"delivered": 7}

    with capture_logs():
        run(scenario())
