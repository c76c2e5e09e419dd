"""Log lines that could not be read are reported, and a flood of them is read to its end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.errors import PayloadTooLarge, TargetTimeout
from exporter.ingest.counting.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.jobs.logs import MAX_LINES, LogJob
from exporter.model.delivery import LogLine, LogPage
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Log:
    """
    A server's log.

    *most* is how far back its newest lines can be read, *fitting* how many fit into one answer, *in_time* how many the
    server manages before the deadline.
    """

    def __init__(self, most: int = 10**9, fitting: int = 10**9, in_time: int = 10**9) -> None:
        self.lines: list[LogLine] = []
        self.limits: list[int] = []
        self._most = most
        self._fitting = fitting
        self._in_time = in_time

    def write(self, count: int, *, second: int) -> None:
        """So many lines within a second."""
        first = len(self.lines)
        self.lines += [line(first + number, START + timedelta(seconds=second)) for number in range(count)]

    async def fetch_newest_log_lines(self, *, limit: int) -> LogPage:
        """Newest first."""
        return self._page(0, limit)

    async def fetch_older_log_lines(self, page: LogPage, *, limit: int) -> LogPage:
        """Those before *page*."""
        assert isinstance(page.place, int)
        return self._page(page.place, limit)

    def _page(self, before: int, limit: int) -> LogPage:
        self.limits.append(limit)
        if limit > self._fitting:
            raise PayloadTooLarge("logs: too large")
        if limit > self._in_time:
            raise TargetTimeout("logs: no response in time")
        end = len(self.lines) - before
        lines = self.lines[max(0, end - limit, len(self.lines) - self._most) : end][::-1]
        return LogPage(lines=lines, ended=len(lines) < limit, place=before + len(lines))


def line(number: int, at: datetime) -> LogLine:
    """A line that is like no other."""
    return LogLine(at=at, level="info", event_id="smtp.ehlo", fingerprint=number)


async def job_for(path: Path, **settings: Any) -> tuple[LogJob, ServerBoard, Store]:
    """One run of the collector, with the history in *path*."""
    store = await Store.open(path, now=START)
    book = TallyBook()
    board = ServerBoard("mx1", book, monotonic=SystemClock().monotonic)
    ledger = await Ledger.load(store, "mx1", book, board)
    owners = DeliveryOwners(SystemClock(), None)
    deliveries = DeliveryCounter(board, owners, SystemClock(), max_domains=5)
    return LogJob(board, ledger, owners, deliveries, own=None, **settings), board, store


def polled(path: Path, log: Log, *bursts: tuple[int, int], **settings: Any) -> tuple[int, int]:
    """Polls after each burst of (lines, second); how many lines were counted, and how many gaps."""

    async def play() -> tuple[int, int]:
        job, board, store = await job_for(path / "history.sqlite3", **settings)
        client: Any = log
        log.write(10, second=0)
        await job(client)
        for count, second in bursts:
            log.write(count, second=second)
            await job(client)
        await store.aclose()
        return board.tallies.family("log_entries").get(("info", "smtp.ehlo"), 0), board.log_gaps

    return asyncio.run(play())


@pytest.mark.parametrize(
    "bursts",
    [
        ((5, 1), (5, 1)),
        ((500, 60), (0, 60), (3, 61)),
        ((MAX_LINES - 100, 9), (1, 9)),
        ((MAX_LINES + 500, 60), (1, 60)),
        ((3 * MAX_LINES, 60), (2 * MAX_LINES, 61), (7, 61)),
    ],
)
def test_what_reaches_back_to_what_was_counted_has_no_gap(tmp_path: Path, bursts: tuple[tuple[int, int], ...]):
    """Every line is counted once, however many there are."""
    assert polled(tmp_path, Log(), *bursts) == (sum(count for count, _ in bursts), 0)


def test_answers_that_do_not_fit_are_asked_for_in_smaller_parts(tmp_path: Path):
    """The limit on what is taken of an answer loses no line."""
    assert polled(tmp_path, Log(fitting=300), (5000, 60), (5, 61)) == (5005, 0)


def test_a_server_that_is_too_slow_for_long_answers_is_asked_for_shorter_ones(tmp_path: Path):
    """Each poll that ran out of time asks for less at once, until all is read."""

    async def play() -> tuple[int, int]:
        job, board, store = await job_for(tmp_path / "history.sqlite3")
        log: Any = Log(in_time=2000)
        log.write(10, second=0)
        await job(log)
        log.write(30_000, second=60)
        failures = 0
        while not board.tallies.family("log_entries"):
            try:
                await job(log)
            except TargetTimeout:
                failures += 1
                assert failures < 5
        await store.aclose()
        return board.tallies.family("log_entries")["info", "smtp.ehlo"], board.log_gaps

    assert asyncio.run(play()) == (30_000, 0)


def test_more_lines_than_memory_holds_are_a_gap(tmp_path: Path):
    """The newest are counted, and that others were not is told."""
    assert polled(tmp_path, Log(), (4 * MAX_LINES, 60), most_spooled_bytes=1) == (2 * MAX_LINES, 1)


def test_an_answer_that_ends_before_what_was_counted_is_a_gap(tmp_path: Path):
    """However few lines it has: a server that does not give all of its log is not taken to have written no more."""
    assert polled(tmp_path, Log(most=50), (80, 60), (20, 61)) == (70, 1)


def test_a_log_that_grows_fast_is_polled_sooner(tmp_path: Path):
    """So that each poll has fewer lines to read; a quiet one is polled at its interval again."""

    async def play() -> list[float | None]:
        job, _, store = await job_for(tmp_path / "history.sqlite3")
        log: Any = Log()
        paces = []
        for count, second in ((10, 0), (500, 1), (4000, 2), (10**5, 3), (1, 4)):
            log.write(count, second=second)
            await job(log)
            paces.append(job.sooner_seconds)
        await store.aclose()
        return paces

    assert asyncio.run(play()) == [None, None, 30.0, 5.0, None]
