"""A log whose server's clock is set while it is read: each line counts once."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.ingest.counting.log_turns import TurnSplitter, since_last_turn
from exporter.model.delivery import LogLine
from tests.ingest.jobs.test_logs import START, Log, job_for, line

HOUR_SECONDS, DAY_SECONDS = 3600, 86_400
STEPS = st.one_of(
    st.just(0), st.just(0), st.integers(HOUR_SECONDS, 3 * DAY_SECONDS), st.integers(-3 * DAY_SECONDS, -HOUR_SECONDS)
)
WRITTEN = st.lists(st.tuples(st.integers(0, 9), STEPS, st.integers(0, 2), st.sampled_from("wwwwpk")), max_size=60)


def lines_at(*seconds: int) -> Sequence[LogLine]:
    """Lines of those seconds, newest first."""
    return [line(number, START + timedelta(seconds=at)) for number, at in enumerate(seconds)]


def test_lines_are_split_where_the_clock_was_set_back():
    """Going forward is no turn, and neither are threads that write a little out of order."""
    lines = lines_at(12, 10, 11, DAY_SECONDS, DAY_SECONDS - 1, 300, 5)

    assert since_last_turn(lines) == lines[:3]
    assert list(TurnSplitter().split(lines)) == [(False, lines[3:]), (True, lines[:3])]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_turns_between_parts_are_found(parts: int):
    """Lines come in parts, and a turn may lie between two of them."""
    lines, splitter = lines_at(3, 2, DAY_SECONDS, 2 * DAY_SECONDS), TurnSplitter()

    pieces = [
        piece for end in range(len(lines), 0, -parts) for piece in splitter.split(lines[max(0, end - parts) : end])
    ]

    assert [at for _, piece in pieces for at in piece[::-1]] == lines[::-1]
    assert sum(has_turned for has_turned, _ in pieces) == 2


async def counted(written: Sequence[tuple[int, int, int, str]], path: Path) -> tuple[int, int]:
    """Log lines written and counted: the log is polled at each ``p``, the exporter restarted at each ``k``."""
    log, now, total = Log(), 0, 3
    log.write(total, second=now)
    job, board, store = await job_for(path)
    await job(log)  # type: ignore[arg-type]
    for gap, step, count, what in written:
        now += gap + step
        log.write(count, second=now)
        total += count
        if what == "k":
            await store.aclose()
            job, board, store = await job_for(path)
        if what == "p":
            await job(log)  # type: ignore[arg-type]
    await job(log)  # type: ignore[arg-type]
    shown: Counter[str] = Counter()
    for (level, _), value in board.tallies.family("log_entries").items():
        shown[level] += value
    await store.aclose()
    return total - 3, sum(shown.values())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WRITTEN)
def test_whenever_the_clock_is_set_each_line_counts_once(written: list[tuple[int, int, int, str]]):
    """Ahead or back, by hours or days, several times between two polls, with restarts of ours."""
    with tempfile.TemporaryDirectory() as folder:
        wrote, shown = asyncio.run(counted(written, Path(folder) / "history.sqlite3"))

    assert shown == wrote


def test_a_day_back_is_counted_at_the_next_poll(tmp_path: Path):
    """Lines that are a day older than those counted last are new."""
    written = [(5, 0, 4, "p"), (5, -DAY_SECONDS, 7, "p"), (5, 0, 2, "p")]

    assert asyncio.run(counted(written, tmp_path / "history.sqlite3")) == (13, 13)


def test_a_log_replaced_after_the_clock_was_set_back_is_told(tmp_path: Path):
    """The lines counted last are gone: what is there is not counted, what follows is."""

    async def run() -> tuple[int, int]:
        log = Log()
        log.write(3, second=0)
        job, board, store = await job_for(tmp_path / "history.sqlite3")
        await job(log)  # type: ignore[arg-type]
        log.lines.clear()
        log.write(5, second=-DAY_SECONDS)
        await job(log)  # type: ignore[arg-type]
        log.write(2, second=-DAY_SECONDS + 9)
        await job(log)  # type: ignore[arg-type]
        await store.aclose()
        return sum(board.tallies.family("log_entries").values()), board.log_gaps

    assert asyncio.run(run()) == (2, 1)
