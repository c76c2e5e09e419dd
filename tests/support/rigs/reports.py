"""The collector of reports with everything it needs, against a real server and a real file."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock, SystemClock
from exporter.collectors.reports import ReportSource
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.jobs.reports.job import ReportJob
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.rest.client import RestClient
from exporter.state.board import ServerBoard
from exporter.state.report_gauges import ReportGaugeBoard
from exporter.state.tally import TallyBook
from exporter.store.reports.store import ReportHistory
from exporter.store.store import Store

Shown = dict[tuple[str, tuple[tuple[str, str], ...]], float]

MANY = 1_000_000


@dataclass
class Rig:
    """One life of the collector."""

    store: Store
    board: ServerBoard
    job: ReportJob
    client: RestClient | JmapClient
    source: ReportSource

    async def run(self) -> None:
        """One poll."""
        await self.job(self.client)

    def shown(self) -> Shown:
        """What the collector's families show now, by name and labels."""
        return {
            (family.name, tuple(zip(family.labels, labels, strict=True))): value
            for family, samples in self.source.collect()
            for labels, value in samples.items()
            if isinstance(value, int | float)
        }

    def value(self, name: str, **labels: str) -> float | None:
        """One of them."""
        return self.shown().get((name, tuple(labels.items())))


@asynccontextmanager
async def rig(
    url: str,
    path: Path,
    *,
    clock: Clock | None = None,
    max_domains: int = 25,
    interval_seconds: float = 3600.0,
    max_requests_per_minute: int = MANY,
    read_timeout_seconds: float = 10.0,
    username: str = "watcher",
    password: str = "lab-watcher-secret",
    client: type[RestClient | JmapClient] = RestClient,
) -> AsyncIterator[Rig]:
    """A collector that has just started."""
    clock = clock or SystemClock()
    store = await Store.open(path, now=clock.now())
    transport = Transport(
        base_url=url,
        credentials=Basic(username, password),
        clock=clock,
        throttle=Throttle(clock=clock, requests=MANY),
        read_timeout_seconds=read_timeout_seconds,
    )
    try:
        book = TallyBook()
        board = ServerBoard("mx1", book, monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", book, board)
        gauges = ReportGaugeBoard(monotonic=clock.monotonic)
        job = ReportJob(
            board,
            ledger,
            ReportHistory(store, "mx1"),
            gauges,
            clock=clock,
            interval_seconds=interval_seconds,
            max_requests_per_minute=max_requests_per_minute,
            max_domains=max_domains,
        )
        yield Rig(store, board, job, client(transport, clock=clock), ReportSource(board, gauges))
    finally:
        await transport.aclose()
        await store.aclose()


TABLES = (
    "report",
    "report_rejected",
    "dmarc_policy",
    "dmarc_record",
    "dmarc_auth",
    "dmarc_override",
    "dmarc_day",
    "dmarc_reporter",
    "tls_policy",
    "tls_failure",
    "arf_feedback",
)


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every report table, without what depends on when they were written."""
    connection = sqlite3.connect(path)
    try:
        return {table: _rows(connection, table) for table in TABLES}
    finally:
        connection.close()


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[object, ...]]:
    timeless = [
        column[1]
        for column in connection.execute("SELECT * FROM pragma_table_info(?) ORDER BY cid", (table,))
        if column[1] != "rejected_at"
    ]
    sql = f"SELECT {', '.join(timeless)} FROM {table} ORDER BY 1, 2, 3"  # noqa: S608 - names from our own schema
    return connection.execute(sql).fetchall()


def query(path: Path, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    """Rows of a question to the file."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def check_sums(path: Path) -> None:
    """Counters, sums and tables tell the same."""
    tallies = {(name, labels): value for name, labels, value in query(path, "SELECT name, labels, value FROM tally")}
    for kind, count in query(path, "SELECT kind, count(*) FROM report GROUP BY kind"):
        assert tallies["reports", f'["{kind}"]'] == count
    for kind, count in query(path, "SELECT kind, count(*) FROM report_rejected GROUP BY kind"):
        assert tallies["reports_rejected", f'["{kind}"]'] == count
    for tally, sql in (
        ("dmarc_messages", "SELECT coalesce(sum(messages), 0) FROM dmarc_record"),
        ("tls_sessions", "SELECT coalesce(sum(successes + failures), 0) FROM tls_policy"),
        ("tls_failures", "SELECT coalesce(sum(sessions), 0) FROM tls_failure"),
        ("arf_reports", "SELECT count(*) FROM arf_feedback"),
    ):
        assert sum(v for (name, _), v in tallies.items() if name == tally) == query(path, sql)[0][0], tally
    assert query(path, "SELECT * FROM dmarc_day ORDER BY 1, 2, 3") == query(
        path,
        "SELECT server, ends_at / 86400, domain, sum(passed), sum(failed), count(*) FROM report"
        " WHERE kind = 'dmarc' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )
    assert query(path, "SELECT server, domain, reporter, reports FROM dmarc_reporter ORDER BY 1, 2, 3") == query(
        path,
        "SELECT server, domain, reporter, count(*) FROM report WHERE kind = 'dmarc' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )
    assert query(path, "PRAGMA foreign_key_check") == []
