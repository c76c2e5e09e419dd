"""
Reports into the file, against parsedmarc and against SQLite alone; and windows, against a scan of the whole file.

*Ours* reads the server's JSON, finds out what is new, and writes rows, sums, counters and the packed original, five
hundred reports a transaction. *parsedmarc* (offline; the release pinned here, in a virtual environment of its own that
is made at the first run) parses the XML of the same reports and writes nothing. *Raw* writes every row that ours comes
to with ``executemany``, in the same transactions, with the rows ready and nothing to read. Ours and raw take turns, and
the best of each counts: other programs on the machine only ever add.

Both are measured on a new file, which is where a backfill begins, and on one with ten million records behind it, whose
indexes cost what they cost in use. The limits: a tenth of parsedmarc's time, and twice the time of raw SQLite. Ours
lives on what reports share; the rows of reports that are each about another domain tell what it takes without.

It takes about three minutes on two quiet cores and two gigabytes below ``BENCH_DIR`` (or where temporary files go),
which are given back. ``python -m benchmarks.history.reports --records 1000000`` for a smaller file.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar, cast

import uvloop

from benchmarks.history.parsedmarc import parsedmarc, peer_python
from benchmarks.history.report_windows import SEED_TIME, fill, windows
from benchmarks.rows import Row, show
from benchmarks.traffic.reports import DOMAINS, make
from exporter.app.process import settle_memory
from exporter.clock import SystemClock
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.report_counter import ReportCounter
from exporter.model.report_words import ReportKind
from exporter.stalwart.rest.reports.listing import parse_report
from exporter.state.board import ServerBoard
from exporter.state.tally import Increments, TallyBook
from exporter.store.inserts import MAX_PARAMETERS, Insert
from exporter.store.reports.records import SHARED, SPELLED_OUT, WRITES
from exporter.store.reports.rows import INSERTS
from exporter.store.reports.store import ReportHistory, seen_source
from exporter.store.store import PRAGMAS, SEEN, SeenIds, Store

T = TypeVar("T")

REPORTS, BATCH = 3000, 500
ROUNDS, PEER_ROUNDS = 9, 3
MANY = 100_000
"""Domains, of which hardly two reports are about the same: little can be shared."""


NOW = datetime.fromtimestamp(SEED_TIME, UTC)
SOURCE = seen_source(ReportKind.DMARC)


Answers = Sequence[tuple[str, bytes]]


def ours(path: Path, answers: Answers) -> float:
    """Microseconds a report, from the server's *answers* to what is committed in the file at *path*."""
    return as_the_daemon(_in_a_file(path, lambda store: _take_in(store, answers)))


def as_the_daemon(work: Coroutine[Any, Any, T]) -> T:
    """Runs *work* in the daemon's own event loop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _in_a_file(path: Path, act: Callable[[Store], Awaitable[float]]) -> float:
    """Seconds of *act* with the history at *path*, as microseconds a report."""
    store = await Store.open(path, now=NOW)
    try:
        return await act(store) / REPORTS * 1e6
    finally:
        await store.aclose()


async def _take_in(store: Store, answers: Answers) -> float:
    """Seconds for all *answers*."""
    book = TallyBook()
    board = ServerBoard("mx1", book, monotonic=time.monotonic)
    ledger = await Ledger.load(store, "mx1", book, board)
    history = ReportHistory(store, "mx1")
    counter = ReportCounter(board, SystemClock(), max_domains=25)
    before = book.value(("reports", ("dmarc",)))
    settle_memory()
    started = time.perf_counter()
    for start in range(0, len(answers), BATCH):
        part = answers[start : start + BATCH]
        reports = [parse_report(ReportKind.DMARC, id_, body, now=NOW) for id_, body in part]
        judged = await history.judge(reports)
        increments: Increments = {}
        for report in judged.counted():
            counter.count(report, increments)
        counter.keep_in_range(increments)
        seen = SeenIds(source=SOURCE, added=[(id_, SEED_TIME) for id_, _ in part])
        rows = history.writer(judged, now=NOW)
        await ledger.record(increments, {SOURCE: {"left": 0}}, [seen], rows=rows)
    took = time.perf_counter() - started
    assert book.value(("reports", ("dmarc",))) - before == len(answers)
    return took


Steps = list[tuple[str, list[Sequence[object]] | None]]


def raw(path: Path, answers: Answers) -> float:
    """Microseconds a report, of SQLite executing at *path* what ours comes to for *answers*."""
    steps = recorded(path, answers)
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        connection.execute(pragma)
    started = time.perf_counter()
    for sql, rows in steps:
        if rows is None:
            connection.execute(sql)
        else:
            connection.executemany(sql, rows)
    took = time.perf_counter() - started
    connection.close()
    return took / REPORTS * 1e6


def recorded(path: Path, answers: Answers) -> Steps:
    """The statements, noted on a file of their own that goes on where the one at *path* ends."""
    connection = sqlite3.connect(path)
    last = connection.execute("SELECT * FROM report ORDER BY id DESC LIMIT 1").fetchone()
    connection.close()
    steps: Steps = []

    async def record(store: Store) -> float:
        if last is not None:
            await store.write(lambda scratch: scratch.execute(INSERTS["report"].one, last))
        _record_into(steps, store)
        return await _take_in(store, answers)

    with tempfile.TemporaryDirectory() as folder:
        as_the_daemon(_in_a_file(Path(folder) / "h.sqlite3", record))
    return steps


STATEMENTS = {
    sql: insert
    for insert in (*INSERTS.values(), *SHARED.values(), SEEN)
    for sql, _ in insert.statements(range(MAX_PARAMETERS + 1))
}
"""What ours executes to write rows, and how each row would be written by itself."""

SPELLING = dict(zip(WRITES, SPELLED_OUT.items(), strict=True))
"""What ours executes to have SQLite make rows: of which table, and which."""


class Noting:
    """A connection of which every row that gets into the file is noted, however it gets there."""

    def __init__(self, connection: sqlite3.Connection, steps: Steps) -> None:
        self._connection = connection
        self._steps = steps

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> sqlite3.Cursor:
        if sql in SPELLING:
            table, query = SPELLING[sql]
            rows = self._connection.execute(query).fetchall()
            if rows:
                self._steps.append((Insert(table, len(rows[0])).one, rows))
        return self._connection.execute(sql, parameters)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> sqlite3.Cursor:
        ready = list(rows)
        insert = STATEMENTS.get(sql)
        if insert is None:
            self._steps.append((sql, ready))
        elif insert not in SHARED.values():
            self._steps.append(_by_rows(insert, ready))
        return self._connection.executemany(sql, ready)


def _by_rows(insert: Insert, rows: list[Sequence[object]]) -> tuple[str, list[Sequence[object]]]:
    """The statement for one row and the rows, where *rows* holds many at once."""
    values, width = list(chain.from_iterable(rows)), insert.columns
    return insert.one, [tuple(values[at : at + width]) for at in range(0, len(values), width)]


def _record_into(steps: Steps, store: Store) -> None:
    """From now on notes every transaction of *store*, with its rows."""
    write = store.write

    async def noting(work: Callable[[sqlite3.Connection], T]) -> T:
        steps.append(("BEGIN IMMEDIATE", None))
        result = await write(lambda connection: work(cast("sqlite3.Connection", Noting(connection, steps))))
        steps.append(("COMMIT", None))
        return result

    store.write = noting  # type: ignore[method-assign]


def rates(path: Path) -> list[Row]:
    """Reports into the file at *path*, and into a new one."""
    python = peer_python()
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for turn in range(ROUNDS):
            for name, measure in (
                ("ours", partial(alone, "ours", path, 1000 + turn)),
                ("raw", partial(alone, "raw", path, 2000 + turn)),
                ("ours, new", partial(alone, "ours", Path(folder) / f"ours-{turn}", 1)),
                ("raw, new", partial(alone, "raw", empty(Path(folder) / f"raw-{turn}"), 1)),
                ("ours, apart", partial(alone, "ours", Path(folder) / f"ours-apart-{turn}", 1, MANY)),
                ("raw, apart", partial(alone, "raw", empty(Path(folder) / f"raw-apart-{turn}"), 1, MANY)),
            ):
                figures.setdefault(name, []).append(measure())
    figures["parsedmarc"] = [parsedmarc(python, REPORTS) for _ in range(PEER_ROUNDS)]
    best = {name: min(values) for name, values in figures.items()}
    old, new, peer = "a report into the file", "a report into a new file", best["parsedmarc"]
    apart = "a report, each about another domain, into a new file"
    return [
        Row(name=new, ours=best["ours, new"], peer=peer, unit="us", peer_name="parsedmarc", limit=0.1),
        Row(name=old, ours=best["ours"], peer=peer, unit="us", peer_name="parsedmarc", limit=0.1),
        Row(name=old, ours=best["ours"], peer=best["raw"], unit="us", peer_name="raw executemany", limit=2.0),
        Row(name=new, ours=best["ours, new"], peer=best["raw, new"], unit="us", peer_name="raw executemany", limit=2.0),
        Row(name=apart, ours=best["ours, apart"], peer=peer, unit="us", peer_name="parsedmarc", limit=0.1),
        Row(name=apart, ours=best["ours, apart"], peer=best["raw, apart"], unit="us", peer_name="raw executemany"),
    ]


def alone(name: str, path: Path, seed: int, domains: int = DOMAINS) -> float:
    """One of our measurements in a process of its own."""
    options = {"--measure": name, "--file": path, "--seed": seed, "--domains": domains}
    command = [sys.executable, "-m", "benchmarks.history.reports", *map(str, chain.from_iterable(options.items()))]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def empty(path: Path) -> Path:
    """A new file without reports."""

    async def nothing(store: Store) -> float:
        return 0.0

    as_the_daemon(_in_a_file(path, nothing))
    return path


def run(records: int = 10_000_000) -> list[Row]:
    """All of it."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        path = Path(folder) / "h.sqlite3"
        now = fill(path, records, empty=empty)
        return [*windows(path, now, records), *rates(path)]


def main() -> int:
    """Prints the rows; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--measure", choices=["ours", "raw"], help="only this, in this process, on --file")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--domains", type=int, default=DOMAINS)
    arguments = parser.parse_args()
    if arguments.measure:
        traffic = make(REPORTS, now=SEED_TIME, seed=arguments.seed, domains=arguments.domains)
        print({"ours": ours, "raw": raw}[arguments.measure](arguments.file, traffic.answers))
        return 0
    return 0 if show(run(arguments.records)) else 1


if __name__ == "__main__":
    sys.exit(main())
