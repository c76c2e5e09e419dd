"""Log lines that could not be read are told of."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.ingest.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.ledger import Ledger
from exporter.ingest.logs import MOST_LINES, LogJob
from exporter.model.delivery import LogLine
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Log:
    """A server's log, of which a reading never gives more than *most* lines."""

    def __init__(self, most: int = MOST_LINES) -> None:
        self.lines: list[LogLine] = []
        self._most = most

    def write(self, count: int, *, second: int) -> None:
        """So many lines within a second."""
        first = len(self.lines)
        self.lines += [line(first + number, START + timedelta(seconds=second)) for number in range(count)]

    async def fetch_newest_log_lines(self, *, limit: int) -> Sequence[LogLine]:
        """Newest first."""
        newest = self.lines[-min(limit, self._most) :] if self.lines else []
        return list(reversed(newest))


def line(number: int, at: datetime) -> LogLine:
    """A line that is like no other."""
    return LogLine(at=at, level="info", event_id="smtp.ehlo", fingerprint=number)


async def _job(path: Path) -> tuple[LogJob, ServerBoard, Store]:
    store = await Store.open(path / "history.sqlite3", now=START)
    book = TallyBook()
    board = ServerBoard("mx1", book, monotonic=SystemClock().monotonic)
    ledger = await Ledger.load(store, "mx1", book, board)
    owners = DeliveryOwners(SystemClock(), None)
    deliveries = DeliveryCounter(board, owners, SystemClock(), max_domains=5)
    return LogJob(board, ledger, owners, deliveries, own=None), board, store


def polled(path: Path, log: Log, *bursts: tuple[int, int]) -> tuple[int, int]:
    """Polls after each burst of (lines, second); how many lines were counted, and how many gaps."""

    async def play() -> tuple[int, int]:
        job, board, store = await _job(path)
        client: Any = log
        log.write(10, second=0)
        await job(client)
        for count, second in bursts:
            log.write(count, second=second)
            await job(client)
        await store.aclose()
        return board.tallies.family("log_entries").get(("info", "smtp.ehlo"), 0), board.log_gaps

    return asyncio.run(play())


@pytest.mark.parametrize("bursts", [((5, 1), (5, 1)), ((500, 60), (0, 60), (3, 61)), ((MOST_LINES - 100, 9), (1, 9))])
def test_what_reaches_back_to_what_was_counted_has_no_gap(tmp_path: Path, bursts: tuple[tuple[int, int], ...]):
    """Every line is counted once."""
    assert polled(tmp_path, Log(), *bursts) == (sum(count for count, _ in bursts), 0)


def test_more_lines_than_one_poll_reads_are_a_gap(tmp_path: Path):
    """The newest are counted, and that others were not is told."""
    assert polled(tmp_path, Log(), (MOST_LINES + 500, 60)) == (MOST_LINES, 1)


def test_an_answer_that_ends_before_what_was_counted_is_a_gap(tmp_path: Path):
    """However few lines it has: a server that does not give all of its log is not taken to have written no more."""
    assert polled(tmp_path, Log(most=50), (80, 60), (20, 61)) == (70, 1)
