"""The history file of the watched servers: read, kept, and changed for another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.errors import StoreError
from exporter.simulator import StandIn
from tests.support.disks import locked
from tests.support.rigs.fleet import delivered, fleet_on, history_in, reached, server, watch_one_delivery
from tests.support.servers.raw import run
from tests.support.standin import community, mail


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
