"""Reading for pages is bounded and can be ended."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.errors import StoreError
from exporter.store.reader import STREAMS, WAITING, HistoryReader, ReadRefused
from exporter.store.reading import History
from exporter.store.store import Store

ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


def endless(begun: threading.Event) -> Callable[[History], int]:
    def work(history: History) -> int:
        begun.set()
        return int(history.execute(ENDLESS).fetchone()[0])

    return work


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new history file."""

    async def make() -> Path:
        store = await Store.open(tmp_path / "history.sqlite3", now=datetime.now(UTC))
        await store.aclose()
        return store.path

    return asyncio.run(make())


def test_a_read_sees_the_file_and_cannot_change_it(path: Path):
    """The result comes back; a write fails and names the file."""

    async def scenario() -> None:
        reader = HistoryReader(path)
        assert await reader.read(lambda history: history.execute("SELECT count(*) FROM tally").fetchone()[0]) == 0
        with pytest.raises(StoreError, match="readonly"):
            await reader.read(lambda history: history.execute("DELETE FROM tally"))

    asyncio.run(scenario(), debug=True)


def test_a_read_ends_at_its_deadline(path: Path):
    """A query that would never end is refused instead."""

    async def scenario() -> None:
        with pytest.raises(ReadRefused):
            await HistoryReader(path, seconds=0.05).read(endless(threading.Event()))

    asyncio.run(scenario(), debug=True)


def test_a_cancelled_read_frees_its_thread(path: Path):
    """When the clients of endless queries have gone, the next reader is served."""

    async def scenario() -> None:
        reader = HistoryReader(path, seconds=3600.0)
        for _ in range(4):
            begun = threading.Event()
            task = asyncio.create_task(reader.read(endless(begun)))
            await asyncio.to_thread(begun.wait)
            task.cancel()
            await asyncio.wait([task])

        assert await reader.read(lambda history: history.execute("SELECT 1").fetchone()[0]) == 1

    asyncio.run(scenario(), debug=True)


def test_too_many_readers_are_refused(path: Path):
    """A crowd waits in a short queue; whoever comes later is sent away at once."""

    async def scenario() -> None:
        reader = HistoryReader(path, seconds=3600.0)
        tasks = [asyncio.create_task(reader.read(endless(threading.Event()))) for _ in range(WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(ReadRefused, match="too many"):
            await reader.read(lambda history: None)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    asyncio.run(scenario(), debug=True)


def test_a_stream_yields_everything_and_frees_its_place(path: Path):
    """What is read piece by piece is whole, and the next stream begins at once."""

    def work(history: History) -> Iterator[str]:
        for row in history.execute(
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n LIMIT 50000"
        ):
            yield f"{row[0]}\n"

    async def scenario() -> None:
        reader = HistoryReader(path)
        for _ in range(STREAMS + 1):
            pieces = [piece async for piece in reader.stream(work)]
            assert "".join(pieces) == "".join(f"{number}\n" for number in range(1, 50_001))
            assert len(pieces) > 1

    asyncio.run(scenario(), debug=True)


def test_a_stream_that_is_left_ends_and_too_many_are_refused(path: Path):
    """The place of a client that went away is free again."""

    def work(history: History) -> Iterator[str]:
        while True:
            yield "x" * 100_000

    async def scenario() -> None:
        reader = HistoryReader(path)
        streams = [reader.stream(work) for _ in range(STREAMS)]
        for stream in streams:
            assert await anext(stream)
        with pytest.raises(ReadRefused):
            await anext(reader.stream(work))
        for stream in streams:
            await stream.aclose()
        last = reader.stream(work)
        assert await anext(last)
        await last.aclose()

    asyncio.run(scenario(), debug=True)


def test_a_piece_of_a_stream_has_a_deadline(path: Path):
    """A query that finds nothing for too long is refused."""

    def work(history: History) -> Iterator[str]:
        yield str(history.execute(ENDLESS).fetchone()[0])

    async def scenario() -> None:
        with pytest.raises(ReadRefused):
            await anext(HistoryReader(path, seconds=0.05).stream(work))

    asyncio.run(scenario(), debug=True)
