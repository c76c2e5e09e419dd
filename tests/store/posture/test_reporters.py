"""Who should have reported, from what was delivered to whom."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from exporter.ingest.jobs.posture.reporters import reporter_outcomes
from exporter.model.posture import Check, CheckResult
from exporter.state.posture import Result
from exporter.store.posture.history import PostureHistory
from exporter.store.store import Store

DAY = 86_400
NOW = 1_796_000_000


def fill(connection: sqlite3.Connection) -> None:
    """Fifty messages of one.test to Google, nine to Yahoo, fifty of two.test to Microsoft, which has reported."""
    number = 0
    for sender, receiver, count in (
        ("one.test", "gmail.com", 50),
        ("one.test", "yahoo.com", 9),
        ("two.test", "live.com", 50),
    ):
        for _ in range(count):
            number += 1
            connection.execute(
                "INSERT INTO trail_message VALUES ('mx1', ?, ?, NULL, '', '', '', '', '', ?, 0, 1, NULL, 0, '')",
                (number, NOW - 3 * DAY, sender),
            )
            connection.execute(
                "INSERT INTO trail_outcome VALUES (NULL, 'mx1', ?, ?, 'delivered', '', '', ?, '', '', '', '', '', 0)",
                (number, NOW - 3 * DAY, receiver),
            )
    connection.execute(
        "INSERT INTO dmarc_reporter VALUES ('mx1', 'two.test', 'Enterprise Outlook', 3, ?)", (NOW - DAY,)
    )
    connection.execute("INSERT INTO dmarc_reporter VALUES ('mx1', 'one.test', 'google.com', 3, ?)", (NOW - 30 * DAY,))


def test_silence_is_bad_only_where_reports_are_due(tmp_path: Path) -> None:
    """Google has not written about one.test for a month; nine messages to Yahoo say nothing."""

    async def run() -> dict[str, CheckResult]:
        store = await Store.open(tmp_path / "history.sqlite3", now=datetime.fromtimestamp(NOW, UTC))
        try:
            await store.write(fill)
            history = PostureHistory(store, "mx1")
            expected = await history.expected_reports(since=NOW - 9 * DAY, until=NOW - 2 * DAY, at_least=10)
            assert await PostureHistory(store, "mx2").expected_reports(since=0, until=NOW, at_least=1) == {}
        finally:
            await store.aclose()
        good = {(domain, Check.DMARC_REPORTS): Result(CheckResult.GOOD, NOW) for domain in ("one.test", "two.test")}
        assert list(reporter_outcomes(expected, {})) == []
        return {outcome.domain: outcome.result for outcome in reporter_outcomes(expected, good)}

    assert asyncio.run(run()) == {"one.test": CheckResult.BAD, "two.test": CheckResult.GOOD}
