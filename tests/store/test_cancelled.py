"""Writers that are cancelled: at the end of the process, or because their server is no longer watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.store.store import Store

NOW = datetime(2026, 11, 22, tzinfo=UTC)
KEY = ("events", ("auth.failed",))
TIMES = 60


async def save(store: Store, value: int) -> None:
    """One transaction."""
    await store.save("mx1", tallies={KEY: value}, watermarks={"log": str(value)})


def cancelling(execute: Callable[..., Any], statement: str, cancel: Callable[[], object]) -> Callable[..., Any]:
    """The *execute* of a connection that calls *cancel* as soon as SQLite has been given *statement*."""

    def execute_and_cancel(sql: str, *rest: Any) -> Awaitable[Any]:
        running: Awaitable[Any] = asyncio.ensure_future(execute(sql, *rest))
        if sql == statement:
            asyncio.get_running_loop().call_soon(cancel)
        return running

    return execute_and_cancel


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "COMMIT"])
def test_a_writer_that_is_cancelled_ends_and_leaves_no_transaction_open(tmp_path: Path, statement: str):
    """At whichever statement; what it was about to save is either all on disk or not at all, and others go on."""

    async def scenario() -> None:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        execute = store._connection.execute
        for number in range(TIMES):
            writer = asyncio.create_task(save(store, 2 * number + 1))
            store._connection.execute = cancelling(execute, statement, writer.cancel)  # type: ignore[method-assign]
            with pytest.raises(asyncio.CancelledError):
                await writer
            store._connection.execute = execute  # type: ignore[method-assign]

            assert not store._connection.in_transaction
            tallies, marks = await store.load_tallies("mx1"), await store.load_watermarks("mx1")
            assert [str(value) for value in tallies.values()] == list(marks.values())
            await save(store, 2 * number + 2)
            assert await store.load_tallies("mx1") == {KEY: 2 * number + 2}
        await store.aclose()

    asyncio.run(scenario())
