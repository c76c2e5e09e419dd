"""
Reports into the file, against parsedmarc and against SQLite alone; and windows over ten million records.

*Ours* reads the server's JSON, finds out what is new, and writes rows, sums, counters and the packed original, a
hundred reports a transaction. *parsedmarc* (offline, the release pinned here, in a virtual environment of its own that
is made at the first run) parses the XML of the same reports and writes nothing. *Raw* executes the statements that ours
came to, for rows that are ready, in as many transactions on as fresh a file. Each is a process of its own, they take
turns, and the best of each counts.

``python -m benchmarks.reports --records 10000000`` sets the size of the history behind the windows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.report_traffic import make
from benchmarks.rows import Row, show
from exporter.clock import SystemClock
from exporter.ingest.ledger import Ledger
from exporter.ingest.report_counter import ReportCounter
from exporter.model.report_words import ReportKind
from exporter.stalwart.rest.reports import parse_report
from exporter.state.board import ServerBoard
from exporter.state.tally import Increments, TallyBook
from exporter.store.report_sums import window_query
from exporter.store.reports import ReportHistory, seen_source
from exporter.store.store import SeenIds, Store

PARSEDMARC = "parsedmarc==11.1.0"
REPORTS, BATCH, ROUNDS = 3000, 100, 5
SEED_TIME = 1_795_348_800
"""A midnight, so that every run writes the same rows."""

NOW = datetime.fromtimestamp(SEED_TIME, UTC)
SOURCE = seen_source(ReportKind.DMARC)


def ours() -> float:
    """Microseconds a report, from the server's answers to the committed file."""
    answers = make(REPORTS, now=SEED_TIME).answers
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_in_a_file(Path(folder) / "h.sqlite3", lambda store: _take_in(store, answers)))


async def _in_a_file(path: Path, act: Callable[[Store], Awaitable[float]]) -> float:
    """Seconds of *act* with the history at *path*, as microseconds a report."""
    store = await Store.open(path, now=NOW)
    try:
        return await act(store) / REPORTS * 1e6
    finally:
        await store.aclose()


async def _take_in(store: Store, answers: Sequence[tuple[str, bytes]]) -> float:
    """Seconds for all *answers*."""
    book = TallyBook()
    board = ServerBoard("mx1", book, monotonic=time.monotonic)
    ledger = await Ledger.load(store, "mx1", book, board)
    history = ReportHistory(store, "mx1")
    counter = ReportCounter(board, SystemClock(), max_domains=25)
    started = time.perf_counter()
    for start in range(0, len(answers), BATCH):
        part = answers[start : start + BATCH]
        reports = [parse_report(ReportKind.DMARC, id_, body, now=NOW) for id_, body in part]
        new = await history.new_among(reports)
        increments: Increments = {}
        for place in new:
            counter.count(reports[place], increments)
        counter.keep_in_range(increments)
        seen = SeenIds(source=SOURCE, added=[(id_, SEED_TIME) for id_, _ in part])
        rows = await history.writer(reports, new, now=NOW)
        await ledger.record(increments, {SOURCE: {"left": 0}}, [seen], rows=rows)
    took = time.perf_counter() - started
    count = next(iter(await store.read("SELECT count(*) FROM report")))[0]
    assert count == len(answers)
    return took


def raw() -> float:
    """Microseconds a report, of SQLite executing what ours came to, with every row ready."""
    answers = make(REPORTS, now=SEED_TIME).answers
    with tempfile.TemporaryDirectory() as folder:
        steps: list[tuple[str, list[tuple[object, ...]] | None]] = []

        async def record(store: Store) -> float:
            _record_into(steps, store)
            return await _take_in(store, answers)

        async def nothing(store: Store) -> float:
            return 0.0

        asyncio.run(_in_a_file(Path(folder) / "recorded.sqlite3", record))
        path = Path(folder) / "h.sqlite3"
        asyncio.run(_in_a_file(path, nothing))
        connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("synchronous=NORMAL", "foreign_keys=ON", "cache_size=-2048"):
            connection.execute(f"PRAGMA {pragma}")
        started = time.perf_counter()
        for sql, rows in steps:
            if rows is None:
                connection.execute(sql)
            else:
                connection.executemany(sql, rows)
        took = time.perf_counter() - started
        count = connection.execute("SELECT count(*) FROM report").fetchone()[0]
        connection.close()
    assert count == len(answers)
    return took / len(answers) * 1e6


def _record_into(steps: list[tuple[str, list[tuple[object, ...]] | None]], store: Store) -> None:
    """From now on notes every statement that *store* executes, with its rows."""
    connection = store._connection
    execute, executemany = connection.execute, connection.executemany

    async def noting_many(sql: str, rows: Iterable[tuple[object, ...]]) -> object:
        ready = list(rows)
        steps.append((sql, ready))
        return await executemany(sql, ready)

    async def noting(sql: str, parameters: Sequence[object] = ()) -> object:
        if sql in ("BEGIN IMMEDIATE", "COMMIT"):
            steps.append((sql, None))
        return await execute(sql, parameters)

    connection.executemany = noting_many  # type: ignore[method-assign, assignment]
    connection.execute = noting  # type: ignore[method-assign, assignment]


PEER = """
import json, sys, time
from parsedmarc import parse_aggregate_report_xml
documents = json.load(sys.stdin)
parse_aggregate_report_xml(documents[0], offline=True)
started = time.perf_counter()
for document in documents:
    parse_aggregate_report_xml(document, offline=True)
print((time.perf_counter() - started) / len(documents) * 1e6)
"""


def parsedmarc(python: Path) -> float:
    """Microseconds a report, of the peer parsing."""
    documents = json.dumps(make(REPORTS, now=SEED_TIME).documents)
    done = subprocess.run([python, "-c", PEER], input=documents, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def peer_python() -> Path:
    """The interpreter that has parsedmarc; installed on first use."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = cache / "stalwart-exporter" / PARSEDMARC.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PARSEDMARC], check=True)
        (folder / "installed").touch()
    return python


def in_turns(*calls: Callable[[], float]) -> list[float]:
    """The best of each call, taken in turns."""
    return [min(figures) for figures in zip(*[[call() for call in calls] for _ in range(ROUNDS)], strict=True)]


def alone(name: str) -> float:
    """One of our measurements in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.reports", "--measure", name]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def rates() -> list[Row]:
    """Reports into the file."""
    python = peer_python()
    mine, sqlite, peer = in_turns(lambda: alone("ours"), lambda: alone("raw"), lambda: parsedmarc(python))
    return [
        Row(name="a report into the file", ours=mine, peer=peer, unit="us", peer_name="parsedmarc, parsing", limit=0.1),
        Row(name="a report into the file", ours=mine, peer=sqlite, unit="us", peer_name="raw executemany", limit=2.0),
    ]


SCAN = """
    SELECT report.domain, sum(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN r.messages END),
        sum(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN 0 ELSE r.messages END)
    FROM dmarc_record AS r JOIN report ON report.id = r.report
    WHERE report.server = 'mx1' AND report.ends_at > ? AND report.ends_at <= ? GROUP BY report.domain
"""


def windows(records: int) -> list[Row]:
    """The three windows over a history of *records*, against reading it all."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
        path = Path(folder) / "h.sqlite3"
        now = fill(path, records)
        connection = sqlite3.connect(path)
        rows = []
        for days in (1, 7, 30):
            scanned, scan = timed(lambda days=days: full_scan(connection, now, days), rounds=1)
            summed, took = timed(lambda days=days: summed_window(connection, now, days), rounds=20)
            assert summed == scanned, "the window and the scan differ"
            rows.append(
                Row(
                    name=f"window of {days}d over {records} records",
                    ours=took * 1000,
                    peer=scan * 1000,
                    unit="ms",
                    peer_name="full scan",
                    limit=0.01,
                )
            )
        connection.close()
    return rows


Sums = dict[str, tuple[int, int]]


def full_scan(connection: sqlite3.Connection, now: int, days: int) -> Sums:
    """Every record that there is, without an index."""
    found = connection.execute(SCAN, (now - days * 86400, now))
    return {domain: (aligned or 0, failed or 0) for domain, aligned, failed in found}


def summed_window(connection: sqlite3.Connection, now: int, days: int) -> Sums:
    """As the daemon asks."""
    sql, parameters = window_query("mx1", now, days)
    return {domain: (int(aligned), int(failed)) for domain, aligned, failed in connection.execute(sql, parameters)}


def timed(call: Callable[[], Sums], *, rounds: int) -> tuple[Sums, float]:
    """What it returns, and the median of its seconds."""
    took = []
    for _ in range(rounds):
        started = time.perf_counter()
        answer = call()
        took.append(time.perf_counter() - started)
    return answer, statistics.median(took)


def fill(path: Path, records: int) -> int:
    """A history of 400 days and 40 domains, five records a report, made by SQLite itself; its last moment."""

    async def nothing(store: Store) -> float:
        return 0.0

    asyncio.run(_in_a_file(path, nothing))
    reports = records // 5
    now = SEED_TIME + 45_296
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=OFF", "journal_mode=OFF", "cache_size=-262144"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN")
    connection.execute(FILL_REPORTS, {"reports": reports, "now": now})
    connection.execute(FILL_RECORDS, {"reports": reports})
    connection.execute(FILL_SUMS)
    connection.execute(FILL_DAYS)
    connection.execute("COMMIT")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return now


FILL_REPORTS = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :reports)
    INSERT INTO report SELECT i, 'mx1', 'dmarc', randomblob(16), i || '_1', 'reporter-' || i % 50 || '.example', i,
        'customer-' || i % 40 || '.example', 0, :now - (:reports - i) * 34560000 / :reports - i % 86400,
        :now - (:reports - i) * 34560000 / :reports, 0, 0 FROM n
"""
FILL_RECORDS = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :reports)
    INSERT INTO dmarc_record SELECT i, r.value, '192.0.' || i % 255 || '.' || r.value, i % 97 + r.value, 'none',
        iif((i + r.value) % 9, 'pass', 'fail'), iif((i + r.value) % 3, 'pass', 'fail'),
        'customer-' || i % 40 || '.example', '', '' FROM n, json_each('[0, 1, 2, 3, 4]') AS r
"""
FILL_SUMS = """
    UPDATE report SET
        passed = (SELECT total(messages) FROM dmarc_record
            WHERE report = report.id AND (dkim = 'pass' OR spf = 'pass')),
        failed = (SELECT total(messages) FROM dmarc_record
            WHERE report = report.id AND NOT (dkim = 'pass' OR spf = 'pass'))
"""
FILL_DAYS = """
    INSERT INTO dmarc_day SELECT server, ends_at / 86400, domain, sum(passed), sum(failed), count(*)
    FROM report GROUP BY 1, 2, 3
"""


def run(records: int = 10_000_000) -> list[Row]:
    """All of it."""
    return [*rates(), *windows(records)]


def main() -> int:
    """Prints the rows; 1 if a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--measure", choices=["ours", "raw"], help="only this, in this process")
    arguments = parser.parse_args()
    if arguments.measure:
        print({"ours": ours, "raw": raw}[arguments.measure]())
        return 0
    return 0 if show(run(arguments.records)) else 1


if __name__ == "__main__":
    sys.exit(main())
