"""What the collector of reports asks, keeps and shows is bounded, wherever its lives end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.support.reports import wire
from tests.support.rigs.report_polls import id_of, live, poll, with_reports
from tests.support.rigs.reports import Rig, check_sums, query, tables
from tests.support.servers.reports import ReportServer
from tests.support.virtual_time import HandClock

NOON = wire.at("2026-11-22T12:00:00")


def test_a_flood_of_one_kind_does_not_keep_the_others_waiting(path: Path):
    """The kinds take turns."""
    server = with_reports(200)
    for number in range(2):
        server.add("arf", id_of(number), wire.body(wire.arf()))

    live(server, path, poll)

    fetched = [asked.split("/")[3] for asked in server.asked if "?" not in asked]
    assert fetched[:4] == ["dmarc", "arf", "dmarc", "arf"]


def test_a_backfill_stays_within_its_share_of_requests_and_ends_its_run_in_time(path: Path):
    """Thirty requests in any minute, whatever there is to do; the next run goes on, and the log tells its way."""
    server = with_reports(400)
    clock = HandClock(NOON)
    times: list[float] = []
    server.before = lambda _: times.append(clock.monotonic())

    async def act(life: Rig) -> None:
        await life.run()
        taken.append(len(server.asked_for("/dmarc/")))
        for _ in range(3):
            await life.run()

    taken: list[int] = []
    with capture_logs() as logs:
        live(server, path, act, clock=clock, interval_seconds=300.0, max_requests_per_minute=55)

    assert all(later - earlier >= 60 for earlier, later in zip(times, times[30:], strict=False))
    assert 140 <= taken[0] <= 180
    told = [(log["event"], log["left"]) for log in logs if log["event"].startswith("reports.backfill")]
    assert (told[0], told[-1]) == (("reports.backfill_started", 400), ("reports.backfill_finished", 0))
    assert {event for event, _ in told[1:-1]} == {"reports.backfill_progressed"}
    assert 10 <= len(told[1:-1]) <= 15
    assert [left for _, left in told] == sorted((left for _, left in told), reverse=True)
    assert query(path, "SELECT count(*) FROM report") == [(400,)]


def test_counters_exist_at_zero_once_the_server_has_been_asked(path: Path):
    """No report is a count of zero, and not an absent series."""
    shown = {}

    async def act(life: Rig) -> None:
        assert life.value("stalwart_reports_total", kind="dmarc") is None
        await life.run()
        shown.update(life.shown())

    live(ReportServer(), path, act)

    assert shown == {
        (f"stalwart_reports{name}_total", (("kind", kind),)): 0
        for name in ("", "_rejected")
        for kind in ("dmarc", "tls", "arf")
    }


def test_labels_that_strangers_choose_stay_within_their_cap(path: Path):
    """Domains beyond it are summed as `other`; the sum over a family is what was reported."""
    server = ReportServer()
    for number in range(30):
        report = wire.dmarc("r", domain=f"d{number}.test", reporter=f"o{number}.test", end=1_795_300_000 + number)
        server.add("dmarc", id_of(number), wire.body(report))
        policy = wire.tls_policy(domain=f"d{number}.test", failures=1, details=[("dane-required", 1)])
        server.add("tls", id_of(number), wire.body(wire.tls(f"t-{number}", policies=[policy])))
    shown = {}
    dropped = {}

    async def act(life: Rig) -> None:
        await life.run()
        shown.update(life.shown())
        dropped.update(life.board.dropped)

    live(server, path, act, max_domains=3, clock=HandClock(NOON))

    for family, labels, total in (
        ("stalwart_dmarc_messages_total", 4, 30),
        ("stalwart_tls_report_sessions_total", 8, 330),
        ("stalwart_tls_report_failures_total", 4, 30),
    ):
        series = {key: value for key, value in shown.items() if key[0] == family}
        assert (len(series), sum(series.values())) == (labels, total), family
        assert dropped[family] == 27
    heard = [dict(labels) for (name, labels) in shown if name == "stalwart_dmarc_last_report_timestamp_seconds"]
    assert {labels["reporter"] for labels in heard} == {"o0.test", "o1.test", "o10.test", "other"}
    windows = {labels: v for (name, labels), v in shown.items() if name == "stalwart_dmarc_window_messages"}
    assert len(windows) == 4 * 3 * 2
    assert sum(v for labels, v in windows.items() if dict(labels)["window"] == "30d") == 30


def test_ids_that_the_server_dropped_are_forgotten_after_some_days(path: Path):
    """What it still lists stays known however old it is."""
    server = with_reports(4)
    clock = HandClock(NOON)

    async def act(life: Rig) -> None:
        await life.run()
        server.lists["dmarc"] = [id_of(2), id_of(0)]
        clock.seconds += 3 * 86400
        await life.run()

    live(server, path, act, clock=clock)

    assert sorted(query(path, "SELECT id FROM seen")) == sorted([(id_of(0),), (id_of(2),)])
    assert query(path, "SELECT count(*) FROM report") == [(4,)]


def test_invented_numbers_that_are_each_just_possible_do_not_overflow_a_counter(path: Path):
    """The counter stops far above any honest number; the reports are kept."""
    server = ReportServer()
    for number in range(600):
        server.add("dmarc", id_of(number), wire.body(wire.dmarc(f"r-{number}", records=[wire.record(2**53)])))
    seen = []

    async def act(life: Rig) -> None:
        await life.run()
        labels = {"domain": "example.test", "disposition": "none", "dkim": "pass", "spf": "pass"}
        seen.append(life.value("stalwart_dmarc_messages_total", **labels))
        seen.append(life.value("stalwart_dmarc_window_messages", domain="example.test", window="30d", result="aligned"))

    live(server, path, act, clock=HandClock(NOON))

    assert seen == [2**62, 600 * 2**53]
    assert query(path, "SELECT count(*) FROM report") == [(600,)]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_where_lives_end_does_not_change_the_tables(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """However often the collector is interrupted, and wherever, the rows and sums are those of one quiet life."""
    server = ReportServer()
    for number in range(12):
        report = wire.dmarc(
            f"r-{number % 9}", records=[wire.record(number + 1, dkim="Fail"), wire.record(-(number == 5))]
        )
        server.add("dmarc", id_of(number), wire.body(report))
        server.add("tls", id_of(number), wire.body(wire.tls(f"t-{number % 7}")))
    cuts = data.draw(st.lists(st.integers(0, 20), max_size=8))
    folder = tmp_path_factory.mktemp("lives")
    quiet, stormy = folder / "quiet.sqlite3", folder / "stormy.sqlite3"

    live(server, quiet, poll)
    for cut in cuts:
        live(server, stormy, interrupted_after(server, cut))
    live(server, stormy, poll)

    assert columns_of(stormy) == columns_of(quiet)
    check_sums(stormy)


def interrupted_after(server: ReportServer, requests: int) -> Callable[[Rig], Awaitable[None]]:
    """A poll that is cancelled when the server has been asked so often."""

    async def act(life: Rig) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(life.run())
        left = [requests]

        def before(path: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                loop.call_soon_threadsafe(task.cancel)

        server.before = before
        await asyncio.gather(task, return_exceptions=True)
        server.before = None

    return act


def columns_of(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The tables without their own numbers, which depend on the order of arrival."""
    found = tables(path)
    own_numbers = ("report", "report_rejected", "dmarc_record", "tls_policy")
    return {table: sorted((row[1:] for row in found[table]), key=repr) for table in own_numbers} | {
        table: found[table] for table in ("dmarc_day", "dmarc_reporter")
    }
