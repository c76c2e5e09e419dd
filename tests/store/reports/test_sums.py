"""Sums over the history: windows, reporters, and what deleting does to them."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.ingest.jobs.reports.gauges import make_gauges, reporter_label
from exporter.ingest.loops.retention import Retention
from exporter.model.incoming_reports import UnreadableReport
from exporter.model.report_words import ReportKind
from exporter.stalwart.rest.reports.listing import parse_report
from exporter.store.reading import writing
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.pruning import prune_batch, prune_rejected, prune_reports
from exporter.store.reports.store import Incoming, ReportHistory
from exporter.store.store import Store
from tests.support.reports import wire
from tests.support.rigs.reports import query
from tests.support.virtual_time import HandClock

NOW = wire.at("2026-11-22T12:34:56")
SECONDS = int(NOW.timestamp())
DAY = 86400


def report(number: int, end: int, *, domain: str = "a.test", passed: int = 1, failed: int = 0) -> Incoming:
    """A DMARC report that ends at *end*, received then."""
    records = [wire.record(passed), wire.record(failed, dkim="Fail", spf="Fail")]
    body = wire.body(wire.dmarc(f"r-{number}", domain=domain, begin=0, end=end, records=records))
    return parse_report(
        ReportKind.DMARC, wire.report_id(datetime.fromtimestamp(end, NOW.tzinfo), number), body, now=NOW
    )


def unreadable(number: int, received_at: datetime) -> UnreadableReport:
    """One that could not be read."""
    return UnreadableReport(
        kind=ReportKind.TLS, source_id=f"bad-{number}", received_at=received_at, raw=b"?", reason="because"
    )


async def save(store: Store, reports: list[Incoming], *, now: datetime = NOW) -> None:
    """Writes *reports* as the collector does."""
    history = ReportHistory(store, "mx1")
    judged = await history.judge(reports)
    await store.save("mx1", tallies={}, watermarks={}, rows=history.writer(judged, now=now))


DAY_SUMS = (
    "SELECT server, ends_at / 86400, domain, sum(passed), sum(failed), count(*) FROM report"
    " WHERE kind = 'dmarc' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(
        st.tuples(
            st.integers(-3 * DAY, 33 * DAY) | st.sampled_from([0, DAY, 7 * DAY, 30 * DAY, 30 * DAY - 1]),
            st.sampled_from(["a.test", "b.test"]),
            st.integers(0, 9),
            st.integers(0, 9),
        ),
        max_size=30,
    ),
    shift=st.integers(0, DAY),
)
def test_window_sums_are_those_of_a_full_scan(
    tmp_path_factory: pytest.TempPathFactory, ages: list[tuple[int, str, int, int]], shift: int
):
    """To the second, wherever in the day the window begins, and with reports from the future left out."""
    path = tmp_path_factory.mktemp("sums") / "h.sqlite3"
    now = NOW + timedelta(seconds=shift)
    end = int(now.timestamp())

    async def sums() -> dict[int, dict[str, tuple[int, int]]]:
        store = await Store.open(path, now=now)
        reports = [report(n, end - age, domain=d, passed=p, failed=f) for n, (age, d, p, f) in enumerate(ages)]
        await save(store, reports)
        found = await ReportHistory(store, "mx1").dmarc_windows(now, (1, 7, 30))
        await store.aclose()
        return {days: dict(by_domain) for days, by_domain in found.items()}

    got = asyncio.run(sums())

    for days in (1, 7, 30):
        scan = query(
            path,
            "SELECT domain, sum(passed), sum(failed) FROM report WHERE ends_at > ? AND ends_at <= ? GROUP BY domain",
            end - days * DAY,
            end,
        )
        assert got[days] == {domain: (passed, failed) for domain, passed, failed in scan}


def test_the_window_gauges_say_what_is_aligned_and_what_failed(tmp_path: Path):
    """A domain that is silent in a shorter window is a zero there, which was seen."""

    async def gauges() -> dict[tuple[str, ...], int]:
        store = await Store.open(tmp_path / "h.sqlite3", now=NOW)
        old, new = SECONDS - 3 * DAY, SECONDS - 3600
        await save(store, [report(1, old, passed=5, failed=2), report(2, new, domain="b.test", passed=1)])
        made = await make_gauges(ReportHistory(store, "mx1"), now=NOW, most=25)
        await store.aclose()
        return dict(made.gauges.window_messages)

    shown = asyncio.run(gauges())

    assert {labels: n for labels, n in shown.items() if n} == {
        ("a.test", "7d", "aligned"): 5,
        ("a.test", "7d", "failed"): 2,
        ("a.test", "30d", "aligned"): 5,
        ("a.test", "30d", "failed"): 2,
        ("b.test", "1d", "aligned"): 1,
        ("b.test", "7d", "aligned"): 1,
        ("b.test", "30d", "aligned"): 1,
    }
    assert shown["a.test", "1d", "aligned"] == 0


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("google.com", "google.com"),
        ("Enterprise Outlook", "Enterprise Outlook"),
        ("a\x1b[31m\u202eb\n", "a [31m b"),
        ("x" * 1_000_000, "x" * 64),
        ("abuse@example.test", "other"),
        ("mail of 192.0.2.1", "other"),
        ("2001:db8::1", "other"),
        ("\u200b", "other"),
        (None, "other"),
    ],
)
def test_a_reporters_label_is_short_printable_and_no_address(name: str | None, label: str):
    """Reporters name themselves as they like."""
    assert reporter_label(name) == label


def test_retention_deletes_what_was_received_too_long_ago_and_nothing_else(tmp_path: Path):
    """Batch after batch, rejected ones too, with the sums following."""
    path = tmp_path / "h.sqlite3"
    clock = HandClock(NOW)
    left = []

    async def act() -> None:
        store = await Store.open(path, now=NOW)
        old = [report(n, SECONDS - 100 * DAY - n) for n in range(450)]
        new = [report(1000 + n, SECONDS - 10 * DAY - n) for n in range(7)]
        await save(store, [*old, *new])
        await save(store, [unreadable(1, NOW - timedelta(days=100))], now=NOW - timedelta(days=100))
        await save(store, [unreadable(2, NOW)])
        retention = Retention(store, keep_seconds=50 * DAY, clock=clock)
        left.append(await retention.prune())
        left.append(await retention.prune())
        await store.aclose()

    asyncio.run(act())

    assert left == [450, 0]
    assert query(path, "SELECT count(*), min(received_at) > ? FROM report", SECONDS - 11 * DAY) == [(7, 1)]
    assert query(path, "SELECT source_id FROM report_rejected") == [("bad-2",)]
    assert query(path, "SELECT * FROM dmarc_day ORDER BY 1, 2, 3") == query(path, DAY_SUMS)
    assert query(path, "SELECT reports FROM dmarc_reporter") == [(7,)]
    for table in ("report_raw", "dmarc_policy", "dmarc_record", "dmarc_auth"):
        assert query(path, f"SELECT count(*) FROM {table} WHERE report NOT IN (SELECT id FROM report)") == [(0,)]  # noqa: S608


def test_pruning_on_request_follows_its_filter(tmp_path: Path):
    """Only the domain asked for goes; sums follow; a second pass finds nothing."""
    path = tmp_path / "h.sqlite3"

    async def fill() -> None:
        store = await Store.open(path, now=NOW)
        await save(store, [report(n, SECONDS - n, domain="ab"[n % 2] + ".test", failed=n) for n in range(401)])
        await save(store, [unreadable(1, NOW)])
        await store.aclose()

    asyncio.run(fill())
    later = NOW + timedelta(days=1)

    with writing(path) as connection:
        gone = list(prune_reports(connection, ReportFilter(domain="a.test"), later))
        again = list(prune_reports(connection, ReportFilter(domain="a.test"), later))
        rejected = prune_rejected(connection, ReportFilter(kind=ReportKind.DMARC), later)

    assert (gone, again, rejected) == ([200, 1], [], 0)
    assert query(path, "SELECT domain, count(*) FROM report GROUP BY domain") == [("b.test", 200)]
    assert query(path, "SELECT * FROM dmarc_day ORDER BY 1, 2, 3") == query(path, DAY_SUMS)


def test_a_batch_of_reports_is_deleted_beside_a_reader(tmp_path: Path):
    """Somebody who reads keeps what there was, and stops nobody from deleting."""
    path = tmp_path / "h.sqlite3"

    async def act() -> tuple[int, int]:
        store = await Store.open(path, now=NOW)
        await save(store, [report(n, SECONDS - n) for n in range(5)])
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        reader.execute("BEGIN")
        before = reader.execute("SELECT count(*) FROM report").fetchone()[0]
        gone = await prune_batch(store, before=NOW + timedelta(days=1))
        after = reader.execute("SELECT count(*) FROM report").fetchone()[0]
        reader.close()
        await store.aclose()
        assert before == after
        return gone, after

    assert asyncio.run(act()) == (5, 5)
