"""Writers that are cancelled: at the end of the process, or because their server is no longer watched."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.store.store import RowWriter, Store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = ("events", ("auth.failed",))
TIMES = 60


async def save(store: Store, value: int, rows: RowWriter | None = None) -> None:
    """One transaction."""
    await store.save("mx1", tallies={KEY: value}, watermarks={"log": str(value)}, rows=rows)


async def saved(store: Store) -> tuple[list[int], list[str]]:
    """The tallies and the watermarks on disk."""
    return list((await store.load_tallies("mx1")).values()), list((await store.load_watermarks("mx1")).values())


async def cancelled_inside(store: Store, value: int, *, fails: bool) -> None:
    """A writer that is cancelled while SQLite is in its transaction, which then may fail."""
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()

    def cancel(connection: sqlite3.Connection) -> None:
        assert connection.in_transaction
        asyncio.run_coroutine_threadsafe(cancel_writer(), loop).result()
        if fails:
            connection.execute("no SQL")

    async def cancel_writer() -> None:
        writer.cancel()
        heard.set()

    writer = asyncio.create_task(save(store, value, cancel))
    with pytest.raises(asyncio.CancelledError):
        await writer
    assert heard.is_set()


def test_a_writer_that_is_cancelled_ends_when_all_of_it_is_on_disk(tmp_path: Path):
    """SQLite goes on with it, so its end is waited for, and the next one finds no transaction open."""

    async def scenario() -> None:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        for number in range(TIMES):
            await cancelled_inside(store, 2 * number + 1, fails=False)
            assert await saved(store) == ([2 * number + 1], [str(2 * number + 1)])

            await save(store, 2 * number + 2)
            assert await saved(store) == ([2 * number + 2], [str(2 * number + 2)])
        await store.aclose()

    asyncio.run(scenario())


def test_a_writer_that_is_cancelled_and_then_fails_leaves_nothing_behind(tmp_path: Path):
    """The cancellation is what it ends with, and the next one works."""

    async def scenario() -> None:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        for number in range(TIMES):
            await save(store, number)
            await cancelled_inside(store, -1, fails=True)
            assert await saved(store) == ([number], [str(number)])
        await store.aclose()

    asyncio.run(scenario())


def test_a_writer_that_is_cancelled_while_another_writes_has_written_nothing(tmp_path: Path):
    """It was not its turn yet."""

    async def scenario() -> None:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        loop = asyncio.get_running_loop()

        def cancel_the_next(connection: sqlite3.Connection) -> None:
            loop.call_soon_threadsafe(second.cancel)

        first = asyncio.create_task(save(store, 1, cancel_the_next))
        second = asyncio.create_task(save(store, 2))
        await first
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await saved(store) == ([1], ["1"])
        await store.aclose()

    asyncio.run(scenario())
