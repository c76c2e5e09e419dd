"""A log read in pieces, by an exporter that dies in between: the trail is the same and agrees with the tallies."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.delivery import LogLine
from exporter.store.trail.masking import Addresses
from tests.support.replays.trail import FOLDERS, LogFile, LogReader, log_lines, stories, told

LINES = {
    folder: sorted(
        (line for story in stories(folder).values() if story["log"] for line in log_lines(story["log"])),
        key=lambda line: line.at,
    )
    for folder in FOLDERS
}
"""All stories of a server, as its log had them."""


def rows_of(path: Path) -> Counter[tuple[str, str, str]]:
    """The outcomes that are kept, as `stalwart_deliveries_total` labels them."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT outcome, reason, code FROM trail_outcome").fetchall()
    return Counter(rows)


async def read(
    path: Path, lines: list[LogLine], pieces: list[tuple[int, bool]], addresses: Addresses = Addresses.FULL
) -> tuple[datetime, Counter[tuple[str, str, str]]]:
    """Read a log in *pieces* that end at a line, each followed by a death or not; return the time and the tallies."""
    file = LogFile()
    reader = await LogReader.start(path, file=file, at=lines[0].at, addresses=addresses)
    await reader.poll()
    for end, dies in [*pieces, (len(lines), False)]:
        file.lines = lines[:end]
        await reader.poll(lines[max(0, end - 1)].at + timedelta(seconds=1))
        if dies:
            now = reader.clock.now()
            await reader.store.aclose()
            reader = await LogReader.start(path, file=file, at=now, addresses=addresses)
    for hour in (1, 2):
        await reader.poll(lines[-1].at + timedelta(hours=hour))
    await reader.store.aclose()
    return reader.clock.now(), Counter(
        {labels: n for labels, n in reader.board.tallies.family("deliveries").items() if n}
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_where_the_log_is_cut_does_not_change_what_is_told(folder: str):
    """Sessions and attempts go on over polls and restarts, and what is kept equals what is counted."""
    lines = LINES[folder]
    ends = st.integers(0, len(lines))

    with tempfile.TemporaryDirectory() as directory:
        whole = Path(directory) / "whole.sqlite3"
        now, counted = asyncio.run(read(whole, lines, []))
        expected = told(whole, now)
        assert rows_of(whole) == counted

    @given(st.lists(st.tuples(ends, st.booleans()), max_size=6))
    def cut(pieces: list[tuple[int, bool]]) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "history.sqlite3"
            now, counted = asyncio.run(read(path, lines, sorted(pieces)))
            assert told(path, now) == expected
            assert rows_of(path) == counted

    cut()


@pytest.mark.parametrize("addresses", [Addresses.HASHED, Addresses.DOMAIN])
def test_masked_histories_hold_no_local_part(tmp_path: Path, addresses: Addresses):
    """Neither the rows nor the watermarks of open sessions contain the part of an address before the domain."""
    path = tmp_path / "history.sqlite3"
    lines = LINES["ops-0.16.18"]

    asyncio.run(read(path, lines, [(at, True) for at in range(5, len(lines), 50)], addresses))

    dumped = b"".join(one.read_bytes() for one in tmp_path.iterdir())
    assert b"@example.test" in dumped
    for local in (b"alice", b"bob", b"carol", b"someone", b"g1", b"nobody", b"back"):
        assert local + b"@" not in dumped


def test_a_flood_is_kept_in_parts(tmp_path: Path):
    """Thousands of messages in one poll are written before it ends, and each of them once."""
    path = tmp_path / "history.sqlite3"
    number = 4000
    rows = []
    for at in range(1, number + 1):
        span = f'queueId = {at}, queueName = "remote", from = "a@b.test", to = ["u{at}@c.test"], size = 9, total = 1'
        for event, own in (
            ("delivery.attempt-start", ""),
            ("delivery.rcpt-to-rejected", f', hostname = "mx", to = "u{at}@c.test", code = 451, details = "no"'),
            ("queue.rescheduled", ", nextRetry = 2026-11-30T10:20:38Z"),
            ("delivery.attempt-end", ", elapsed = 7ms"),
        ):
            rows.append(
                {"timestamp": "2026-11-30T10:15:38Z", "level": "INFO", "event_id": event, "details": span + own}
            )

    _, counted = asyncio.run(read(path, log_lines(rows), []))

    assert rows_of(path) == counted == {("temporary_failure", "unexpected_response", "451"): number}
    with closing(sqlite3.connect(path)) as connection:
        for table, each in (("trail_message", 1), ("trail_recipient", 1), ("trail_step", 2)):
            found = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608 - names above
            assert (table, found) == (table, each * number)
