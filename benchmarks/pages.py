"""
How long the pages on the history take at ten million DMARC records and a million messages, beside a plain query.

``python -m benchmarks.pages [RECORDS [MESSAGES]]`` makes a smaller history. A page's time is that of its whole
response: reads in their thread, pictures and HTML. The plain query asks for the page's main figure, without hints.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx

from benchmarks.history.page_rows import BUSY_DOMAIN, fill, queue_id
from benchmarks.history.report_windows import SCAN
from benchmarks.rows import Row
from exporter.clock import SystemClock
from exporter.store.reader import HistoryReader
from exporter.store.store import Store
from exporter.web.app import create_app
from exporter.web.interfaces import CapabilityRow, Format, QueueFacts, ServerStatus, StatusPage

LIMIT_MILLISECONDS = 100.0
ROUNDS = 5

SERVERS = 3
"""As many as have a card each on the overview."""

_BY_SOURCE = """
    SELECT r.source_ip, sum(r.messages) FROM report JOIN dmarc_record AS r ON r.report = report.id
    WHERE report.domain = ? AND report.ends_at > ? GROUP BY r.source_ip ORDER BY 2 DESC LIMIT 10
"""
_STUCK = """
    SELECT r.domain, count(*) FROM trail_recipient AS r WHERE NOT EXISTS (
        SELECT 1 FROM trail_outcome AS o
        WHERE o.server = r.server AND o.queue_id = r.queue_id AND o.outcome <> 'temporary_failure'
    ) GROUP BY r.domain ORDER BY 2 DESC LIMIT 25
"""
_SENDERS = """
    SELECT sender, count(*) FROM trail_message WHERE at > ? AND kind = 'submitted'
    GROUP BY sender ORDER BY 2 DESC LIMIT 20
"""


class Case(NamedTuple):
    """A page, and the plain query for its main figure with its parameters."""

    path: str
    sql: str
    parameters: Sequence[object] = ()


class _Nothing:
    """What the application needs besides the history."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def exposition(self, fmt: Format, gzip: bool) -> tuple[bytes, str]:
        return b"", fmt.value

    def ready(self) -> tuple[bool, str]:
        return True, ""

    def status(self) -> StatusPage:
        queue = QueueFacts(running=True, messages=100, failing=9, deferring={BUSY_DOMAIN: 9, "d7.example": 3})
        servers = [
            ServerStatus(
                name=f"mx{number}",
                url="http://127.0.0.1",
                generation="rest",
                edition="enterprise",
                version="0.15.5",
                up=True,
                capabilities=[CapabilityRow(name="logs", status="available")],
                queue=queue,
            )
            for number in range(1, SERVERS + 1)
        ]
        return StatusPage(version="0", started_at=self._now, servers=servers, store=None)


class _Clock(SystemClock):
    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now


def run() -> list[Row]:
    """Fill a history and measure; sizes may be set with PAGES_RECORDS and PAGES_MESSAGES."""
    records = int(os.environ.get("PAGES_RECORDS", "10000000"))
    messages = int(os.environ.get("PAGES_MESSAGES", "1000000"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        now = fill(path, records=records, messages=messages, empty=_empty)
        cases = _cases(now, records, messages)
        took = asyncio.run(_page_times(path, [case.path for case in cases], now))
        return [row for case in cases for row in _rows(path, case, took[case.path])]


def _cases(now: int, records: int, messages: int) -> list[Case]:
    month, day = now - 30 * 86_400, now - 86_400
    domain = "customer-1.example"
    middle, waiting = messages // 2, messages // 100 * 100
    recipient = f"user{middle}@{BUSY_DOMAIN if middle % 3 else f'd{middle % 5000}.example'}"
    return [
        Case("/", "SELECT * FROM step WHERE at > ?", (day,)),
        Case("/servers/mx1", "SELECT * FROM step WHERE server = 'mx1'"),
        Case("/reports", SCAN, (month, now)),
        Case("/reports?kind=arf", "SELECT * FROM report WHERE kind = 'arf' ORDER BY ends_at DESC LIMIT 50"),
        Case("/reports?reporter=nobody", "SELECT * FROM report WHERE reporter LIKE '%nobody%' LIMIT 50"),
        Case(f"/reports/domains/{domain}", _BY_SOURCE, (domain, month)),
        Case(f"/reports/dmarc/{records // 10}", "SELECT * FROM dmarc_record WHERE report = ?", (records // 10,)),
        Case("/mail", "SELECT * FROM trail_message ORDER BY at DESC LIMIT 50"),
        Case(f"/mail?what={recipient}", "SELECT * FROM trail_recipient WHERE address = ?", (recipient,)),
        Case(f"/mail?what={BUSY_DOMAIN}", "SELECT count(*) FROM trail_recipient WHERE domain = ?", (BUSY_DOMAIN,)),
        Case(f"/mail/mx1/{queue_id(waiting)}", "SELECT * FROM trail_step WHERE queue_id = ?", (queue_id(waiting),)),
        Case("/mail/stuck", _STUCK),
        Case("/mail/senders", _SENDERS, (day,)),
        Case("/domains", "SELECT * FROM posture"),
        Case(f"/domains/mx1/{domain}", "SELECT * FROM posture WHERE domain = ?", (domain,)),
    ]


async def _page_times(path: Path, pages: Sequence[str], now: int) -> dict[str, float]:
    """Return the shortest milliseconds of each page, after one visit that imports it and fills the cache."""
    moment = datetime.fromtimestamp(now, UTC)
    nothing = _Nothing(moment)
    app = create_app(
        metrics=nothing,
        health=nothing,
        status=nothing,
        reloader=None,
        clock=_Clock(moment),
        history=HistoryReader(path),
    )
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
    took: dict[str, float] = {}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        for page in pages:
            seconds = []
            for _ in range(ROUNDS + 1):
                began = time.perf_counter()
                answer = await client.get(page)
                seconds.append(time.perf_counter() - began)
                answer.raise_for_status()
            took[page] = min(seconds[1:]) * 1000
    return took


def _rows(path: Path, case: Case, took: float) -> list[Row]:
    connection = sqlite3.connect(path)
    began = time.perf_counter()
    connection.execute(case.sql, case.parameters).fetchall()
    raw = (time.perf_counter() - began) * 1000
    connection.close()
    name = f"page {case.path}"
    return [
        Row(name=name, ours=took, peer=LIMIT_MILLISECONDS, unit="ms", peer_name="stated limit", limit=1.0),
        Row(name=name, ours=took, peer=raw, unit="ms", peer_name="plain query"),
    ]


def _empty(path: Path) -> Path:
    async def create() -> None:
        await (await Store.open(path, now=datetime.now(UTC))).aclose()

    asyncio.run(create())
    return path


if __name__ == "__main__":
    from benchmarks.rows import show

    for name, size in zip(("PAGES_RECORDS", "PAGES_MESSAGES"), sys.argv[1:], strict=False):
        os.environ[name] = size
    sys.exit(0 if show(run()) else 1)
