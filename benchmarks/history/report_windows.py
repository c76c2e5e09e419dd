"""The windows over a large history, against a scan of the whole file."""

from __future__ import annotations

import random
import sqlite3
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.rows import Row
from exporter.store.reports.sums import window_query

SEED_TIME = 1_795_348_800
"""A midnight, so that every run writes the same rows."""


SCAN = """
    SELECT report.domain, sum(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN r.messages END),
        sum(CASE WHEN r.dkim = 'pass' OR r.spf = 'pass' THEN 0 ELSE r.messages END)
    FROM dmarc_record AS r JOIN report ON report.id = r.report
    WHERE report.server = 'mx1' AND report.ends_at > ? AND report.ends_at <= ? GROUP BY report.domain
"""


def windows(path: Path, now: int, records: int) -> list[Row]:
    """The three windows over the history at *path*, against reading it all."""
    connection = sqlite3.connect(path)
    rows = []
    for days in (1, 7, 30):
        scanned, scan = timed(partial(full_scan, connection, now, days), rounds=1)
        summed, took = timed(partial(summed_window, connection, now, days), rounds=20)
        assert summed == scanned, "the window and the scan differ"
        name = f"window of {days}d over {records} records"
        rows.append(Row(name=name, ours=took * 1000, peer=scan * 1000, unit="ms", peer_name="full scan", limit=0.01))
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


def fill(path: Path, records: int, *, empty: Callable[[Path], Path]) -> int:
    """
    Make a history of 400 days and 40 domains, five records per report, by SQLite itself; return its last moment.

    *empty* makes the file.
    """
    empty(path)
    reports = records // 5
    now = SEED_TIME + 45_296
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("synchronous=OFF", "journal_mode=OFF", "cache_size=-262144"):
        connection.execute(f"PRAGMA {pragma}")
    rng = random.Random(1)  # noqa: S311 - the same file at every run
    connection.create_function("new_identity", 1, lambda at: (at // 86400).to_bytes(4, "big") + rng.randbytes(12))
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
    WITH RECURSIVE
        n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :reports),
        t(i, at) AS (SELECT i, :now - (:reports - i) * 34560000 / :reports FROM n)
    INSERT INTO report SELECT i, 'mx1', 'dmarc', new_identity(at), i || '_1', 'reporter-' || (i % 50) || '.example', i,
        'customer-' || (i % 40) || '.example', at - 86400, at, at, 0, 0 FROM t
"""
FILL_RECORDS = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :reports)
    INSERT INTO dmarc_record SELECT i, r.value, '192.0.' || (i % 255) || '.' || r.value, i % 97 + r.value, 'none',
        iif((i + r.value) % 9, 'pass', 'fail'), iif((i + r.value) % 3, 'pass', 'fail'),
        'customer-' || (i % 40) || '.example', '', '' FROM n, json_each('[0, 1, 2, 3, 4]') AS r
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
