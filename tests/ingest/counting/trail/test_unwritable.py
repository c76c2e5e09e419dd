"""A history that cannot be written for a while: outcomes wait with their tallies, and what is dropped is counted."""

from __future__ import annotations

import asyncio
from pathlib import Path

from exporter.clock import SystemClock
from exporter.ingest.counting.ledger import MAX_UNSAVED_ROWS, Ledger
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from exporter.store.trail.rows import OutcomeRow, TrailRows

KEY = ("deliveries", ("delivered", "", "250"))
CLOCK = SystemClock()


def outcomes(number: int) -> TrailRows:
    """The rows of as many deliveries."""
    rows = TrailRows()
    for at in range(number):
        rows.outcomes.append(OutcomeRow(1, at, "delivered", "", "250", "", "", "", "", "", "log", at))
    return rows


async def played(path: Path, steps: list[int]) -> tuple[int, int, int, ServerBoard]:
    """Record *steps* while the file is read-only, then one delivery; return tally and rows on disk, and the board."""
    store = await Store.open(path, now=CLOCK.now())
    board = ServerBoard("mx1", TallyBook(), monotonic=CLOCK.monotonic)
    ledger = await Ledger.load(store, "mx1", board.tallies, board)
    await store.read("PRAGMA query_only=ON")
    for number in steps:
        await ledger.record({KEY: number}, {"log": number}, trail=outcomes(number))
    heir = ledger.moved_to(board)
    kept_meanwhile = len(list(await store.read("SELECT 1 FROM trail_outcome")))
    await store.read("PRAGMA query_only=OFF")
    await heir.record({KEY: 1}, {"log": 1}, trail=outcomes(1))
    tallies = await store.load_tallies("mx1")
    rows = len(list(await store.read("SELECT 1 FROM trail_outcome")))
    await store.aclose()
    return kept_meanwhile, tallies[KEY], rows, board


def test_rows_wait_with_their_tallies(tmp_path: Path):
    """Both are written by the first step that succeeds, also after a reload in between."""
    kept_meanwhile, tally, rows, board = asyncio.run(played(tmp_path / "history.sqlite3", [3, 4]))

    assert (kept_meanwhile, tally, rows) == (0, 8, 8)
    assert board.trail_dropped == 0


def test_rows_that_do_not_fit_into_memory_are_counted(tmp_path: Path):
    """The oldest go, and the tallies lose nothing."""
    steps = [MAX_UNSAVED_ROWS - 10, 7, 5]

    kept_meanwhile, tally, rows, board = asyncio.run(played(tmp_path / "history.sqlite3", steps))

    assert (kept_meanwhile, tally) == (0, sum(steps) + 1)
    assert board.trail_dropped == steps[0]
    assert rows == tally - board.trail_dropped
