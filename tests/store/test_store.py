"""The history file, on a real disk."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.errors import StoreError
from exporter.store.schema import MIGRATIONS
from exporter.store.store import SeenIds, Store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = ("events", ("auth.failed",))


def test_what_is_saved_is_loaded(tmp_path: Path):
    """Tallies, watermarks and seen ids come back as they were, and ids that are to be forgotten do not."""
    path = tmp_path / "history.sqlite3"

    async def save_and_load() -> tuple[object, ...]:
        store = await Store.open(path, now=NOW)
        ids = SeenIds(source="traces", added=[("1", 100), (str(2**64 - 1), 200)], forget_before=150)
        await store.save("mx1", tallies={KEY: 2**53 + 1}, watermarks={"log": "{}"}, seen=[ids])
        await store.aclose()
        again = await Store.open(path, now=NOW)
        loaded = (
            await again.load_tallies("mx1"),
            await again.load_watermarks("mx1"),
            await again.load_seen("mx1", "traces"),
            await again.load_tallies("mx2"),
        )
        await again.aclose()
        return loaded

    assert asyncio.run(save_and_load()) == ({KEY: 2**53 + 1}, {"log": "{}"}, {str(2**64 - 1)}, {})


def test_a_second_daemon_is_kept_out(tmp_path: Path):
    """Two daemons never share one file."""
    path = tmp_path / "history.sqlite3"

    async def open_twice() -> None:
        store = await Store.open(path, now=NOW)
        try:
            with pytest.raises(StoreError, match="in use by another"):
                await Store.open(path, now=NOW)
        finally:
            await store.aclose()

    asyncio.run(open_twice())


@pytest.mark.parametrize("damage", ["garbage", "middle"])
def test_a_corrupt_file_is_moved_aside(tmp_path: Path, damage: str):
    """A file that SQLite cannot read is kept under another name, and a new one is begun."""
    path = tmp_path / "history.sqlite3"
    if damage == "garbage":
        path.write_bytes(os.urandom(8192))
    else:
        asyncio.run(_fill(path, 3000))
        with path.open("r+b") as handle:
            handle.seek(4096 * 3)
            handle.write(os.urandom(4096 * 8))

    asyncio.run(_fill(path, 1))

    assert len(list(tmp_path.glob("history.sqlite3.corrupt-*"))) >= 1
    assert asyncio.run(_load(path)) == {("t", ("0",)): 1}


async def _fill(path: Path, rows: int) -> None:
    store = await Store.open(path, now=NOW)
    await store.save("mx1", tallies={("t", (str(i),)): 1 for i in range(rows)}, watermarks={})
    await store.aclose()


async def _load(path: Path) -> object:
    store = await Store.open(path, now=NOW)
    loaded = await store.load_tallies("mx1")
    await store.aclose()
    return loaded


def test_a_newer_file_is_refused(tmp_path: Path):
    """A file of a newer release is not touched."""
    path = tmp_path / "history.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()

    with pytest.raises(StoreError, match="newer release"):
        asyncio.run(Store.open(path, now=NOW))


def test_a_failed_transaction_changes_nothing_and_the_next_one_works(tmp_path: Path):
    """A reader that locks the file makes a write fail as a whole; afterwards writing goes on."""
    path = tmp_path / "history.sqlite3"

    async def write_against_a_lock() -> tuple[object, object, bool]:
        store = await Store.open(path, now=NOW)
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        await store._connection.execute("PRAGMA busy_timeout=10")
        with pytest.raises(StoreError):
            await store.save("mx1", tallies={KEY: 1}, watermarks={})
        failed, ok = {reason: n for reason, n in store.stats.errors.items() if n}, store.stats.ok
        blocker.execute("ROLLBACK")
        blocker.close()
        await store.save("mx1", tallies={KEY: 2}, watermarks={})
        loaded = await store.load_tallies("mx1")
        await store.aclose()
        return failed, loaded, ok

    assert asyncio.run(write_against_a_lock()) == ({"locked": 1}, {KEY: 2}, False)


CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from exporter.store.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]), now=datetime.now(UTC))
    count = (await store.load_tallies("mx1")).get(("n", ()), 0)
    while True:
        count += 1
        await store.save("mx1", tallies={("n", ()): count}, watermarks={"n": str(count)})
        print(count, flush=True)

asyncio.run(main())
"""


def test_killed_between_any_two_writes_tally_and_watermark_agree(tmp_path: Path):
    """kill -9 at many points: what is on disk is one whole step, never older than what was reported."""
    path = tmp_path / "history.sqlite3"
    for kill_after in range(1, 12):
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        reported = 0
        for _ in range(kill_after):
            reported = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()

        tallies, mark = asyncio.run(_state(path))

        assert tallies[("n", ())] == int(mark["n"]) >= reported


async def _state(path: Path) -> tuple[dict[tuple[str, tuple[str, ...]], int], dict[str, str]]:
    store = await Store.open(path, now=NOW)
    state = await store.load_tallies("mx1"), await store.load_watermarks("mx1")
    await store.aclose()
    return state
