"""The collector of reports against a server that lists, lies, limits and fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.errors import (
    PayloadError,
    TargetBusy,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
)
from exporter.ingest.jobs.report_inbox import STRIKES
from exporter.ingest.jobs.reports import PAGE
from exporter.store.reports.packing import unpack
from tests.support.reports import wire
from tests.support.reports.clocks import TestClock
from tests.support.rigs.reports import Rig, check_sums, query, rig, tables
from tests.support.servers.reports import ReportServer, serving

START = wire.at("2026-11-20T00:00:00")
PROBLEM = "application/problem+json"


def id_of(number: int) -> str:
    """The id of the *number*-th report."""
    return wire.report_id(START + timedelta(seconds=number), number)


def with_reports(count: int, kind: str = "dmarc") -> ReportServer:
    """A server with so many reports of one message each."""
    server = ReportServer()
    make = {"dmarc": wire.dmarc, "tls": wire.tls}[kind]
    for number in range(count):
        server.add(kind, id_of(number), wire.body(make(f"r-{number}")))
    return server


def live(server: ReportServer, path: Path, act: Callable[[Rig], Awaitable[None]], **options: object) -> None:
    """One life of the collector beside *server*, in which *act* happens."""

    async def run(url: str) -> None:
        async with rig(url, path, **options) as life:  # type: ignore[arg-type]
            await act(life)

    with serving(server) as url:
        asyncio.run(run(url))


async def poll(life: Rig) -> None:
    """One poll."""
    await life.run()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The history file."""
    return tmp_path / "history.sqlite3"


def test_the_same_report_counts_once_however_it_comes(path: Path):
    """Mailed twice, spelled differently and listed under another id it is one; two reporters with one id are two."""
    server = ReportServer()
    same = [wire.dmarc("r-1"), wire.dmarc("r-1", domain="EXAMPLE.test"), wire.dmarc("r-1", records=[wire.record(99)])]
    for number, report in enumerate([*same, wire.dmarc("r-1", reporter="other.test")]):
        server.add("dmarc", id_of(number), wire.body(report))
    for number in range(2):
        server.add("tls", id_of(number), wire.body(wire.tls()))
        server.add("arf", id_of(number), wire.body(wire.arf()))
    shown = {}

    async def act(life: Rig) -> None:
        await life.run()
        shown.update(life.shown())

    live(server, path, act)

    kinds = {kind: shown["stalwart_reports_total", (("kind", kind),)] for kind in ("dmarc", "tls", "arf")}
    assert kinds == {"dmarc": 2, "tls": 1, "arf": 2}
    assert query(path, "SELECT reporter, passed FROM report WHERE kind = 'dmarc' ORDER BY id") == [
        ("reporter.test", 1),
        ("other.test", 1),
    ]
    assert query(path, "SELECT count(*) FROM seen") == [(8,)]
    check_sums(path)


def test_each_report_is_fetched_once_and_the_oldest_first(path: Path):
    """A second poll asks for the list only."""
    server = with_reports(5)

    async def act(life: Rig) -> None:
        await life.run()
        await life.run()

    live(server, path, act)

    assert [asked.rsplit("/", 1)[1] for asked in server.asked_for("/dmarc/")] == [id_of(n) for n in range(5)]
    assert len(server.asked_for("/dmarc?")) == 2


def test_a_long_list_is_walked_to_its_end_once_and_then_only_to_what_is_known(path: Path):
    """Pages of a thousand; when everything is known, one is enough."""
    server = with_reports(PAGE + 10)
    shown = []

    async def act(life: Rig) -> None:
        await life.run()
        first = len(server.asked_for("?limit"))
        await life.run()
        second = len(server.asked_for("?limit"))
        server.add("dmarc", id_of(10**6), wire.body(wire.dmarc("new")))
        await life.run()
        shown.extend([first, second - first, len(server.asked_for("?limit")) - second])

    live(server, path, act)

    assert shown == [2 + 2, 2 + 1, 2 + 2]
    assert query(path, "SELECT count(*) FROM report") == [(PAGE + 11,)]


def test_a_server_that_ignores_pages_is_not_asked_for_ever(path: Path):
    """The same ids on every page end the walk."""
    server = with_reports(3)
    ids = [id_of(n) for n in range(PAGE)]
    server.odd["/api/reports/dmarc"] = (200, "application/json", wire.listing([*ids, id_of(5000)], limit=PAGE, page=1))

    live(server, path, poll)

    assert len(server.asked_for("/dmarc?")) == 2


def test_an_unreadable_report_is_kept_aside_with_its_reason_and_stops_nobody(path: Path):
    """What came stands whole in the table of rejected reports."""
    server = ReportServer()
    bodies = [
        wire.body(wire.dmarc("r-0")),
        wire.body(wire.dmarc("r-1", records=[wire.record(10**30)])),
        b'{"data":{"report":{"x":' + b"[" * 60_000,
        b'{"data":{"report":{"x":' + b"[" * 100_000,
        b"\xff\xfe not json",
        b'{"data":{"report":{}},"data":{"report":{"record":1,"record":2}}}',
        b'[{"data":1}]',
        wire.body(wire.dmarc("r-2")),
    ]
    for number, body in enumerate(bodies):
        server.add("dmarc", id_of(number), body)
    seen = []

    async def act(life: Rig) -> None:
        await life.run()
        await life.run()
        seen.append(life.value("stalwart_reports_rejected_total", kind="dmarc"))
        seen.append(life.value("stalwart_reports_total", kind="dmarc"))

    live(server, path, act)

    assert seen == [6, 2]
    reasons = [row[0] for row in query(path, "SELECT reason FROM report_rejected ORDER BY id")]
    assert reasons[0] == "data.report.record[0].row.count: Expected `int` <= 9007199254740992"
    assert reasons[1].endswith("nested too deeply")
    assert len(server.asked_for("/dmarc/")) == len(bodies)
    check_sums(path)


def test_invented_numbers_of_every_kind_are_kept_aside_and_not_summed(path: Path):
    """Whole, byte for byte, with a reason each; the honest report among them counts alone."""
    invented: list[tuple[str, bytes]] = []
    for number in (-1, 2**53 + 1, 10**30, 1e30, 1.5, "12", None, True, float("nan"), float("inf")):
        tls, feedback = wire.tls_policy(failures=number), {} if number is None else {"incidents": number}
        invented += [
            ("dmarc", wire.body(wire.dmarc(records=[wire.record(5), wire.record(number)]))),
            ("tls", wire.body(wire.tls(policies=[tls]))),
            ("tls", wire.body(wire.tls(policies=[wire.tls_policy(details=[("dane-required", number)])]))),
            *([("arf", wire.body(wire.arf(**feedback)))] if feedback else []),
        ]
    server = ReportServer()
    for place, (kind, body) in enumerate(invented):
        server.add(kind, id_of(place), body)
    server.add("dmarc", id_of(len(invented)), wire.body(wire.dmarc(records=[wire.record(7)])))
    shown = []

    async def act(life: Rig) -> None:
        await life.run()
        shown.append(life.shown())

    live(server, path, act)

    kept = query(path, "SELECT kind, packed, reason FROM report_rejected ORDER BY id")
    assert sorted((kind, unpack(packed)) for kind, packed, _ in kept) == sorted(invented)  # type: ignore[arg-type]
    assert all(reason for _, _, reason in kept)
    counted = {key[0]: value for key, value in shown[0].items() if value and "window" not in key[0]}
    assert counted.keys() == {
        "stalwart_reports_total",
        "stalwart_reports_rejected_total",
        "stalwart_dmarc_messages_total",
        "stalwart_dmarc_last_report_timestamp_seconds",
    }
    assert counted["stalwart_dmarc_messages_total"] == 7
    check_sums(path)


def test_a_report_that_is_too_large_is_kept_aside(path: Path):
    """Its body is not read further, and the next one comes."""
    server = with_reports(3)
    server.bodies["dmarc", id_of(1)] = wire.body(wire.dmarc("x" * 70_000_000))

    live(server, path, poll)

    assert query(path, "SELECT count(*) FROM report") == [(2,)]
    assert "more than" in str(query(path, "SELECT reason FROM report_rejected"))


def test_a_report_that_is_gone_is_left_alone(path: Path):
    """Expired between list and fetch: no failure, and no second question."""
    server = with_reports(3)
    del server.bodies["dmarc", id_of(1)]

    async def act(life: Rig) -> None:
        await life.run()
        await life.run()

    live(server, path, act)

    assert len(server.asked_for(f"/dmarc/{id_of(1)}")) == 1
    assert query(path, "SELECT count(*) FROM report") == [(2,)]


def test_a_report_that_the_server_cannot_give_is_given_up_after_some_polls(path: Path):
    """The others come at once; this one is asked for once a poll, and then set aside with the reason."""
    server = with_reports(4)
    server.odd[f"/api/reports/dmarc/{id_of(0)}"] = (500, PROBLEM, b'{"status":500,"title":"Internal Server Error"}')
    troubles = []

    async def act(life: Rig) -> None:
        for _ in range(STRIKES + 1):
            try:
                await life.run()
            except TargetServerError as error:
                troubles.append(error)

    live(server, path, act)

    assert len(troubles) == STRIKES
    assert len(server.asked_for(id_of(0))) == STRIKES
    assert query(path, "SELECT count(*) FROM report") == [(3,)]
    assert "cannot be fetched" in str(query(path, "SELECT reason FROM report_rejected"))
    check_sums(path)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((500, PROBLEM, b'{"status":500}'), TargetServerError),
        ((200, "text/html", b"<html>maintenance</html>"), PayloadError),
        ((200, "application/json", b""), PayloadError),
        ((200, "application/json", b'{"error":"other","details":"x","reason":null}'), TargetServerError),
    ],
)
def test_failures_one_after_the_other_are_the_servers_and_reject_nothing(
    path: Path, answer: tuple[int, str, bytes], kind: type[TargetError]
):
    """After three in a row the poll ends as failed; once the server is well, every report is taken."""
    server = with_reports(10)
    for number in range(10):
        server.odd[f"/api/reports/dmarc/{id_of(number)}"] = answer

    async def act(life: Rig) -> None:
        with pytest.raises(kind):
            await life.run()
        assert len(server.asked_for("/dmarc/")) == 3
        server.odd.clear()
        await life.run()
        await life.run()

    live(server, path, act)

    assert query(path, "SELECT count(*) FROM report") == [(10,)]
    assert query(path, "SELECT count(*) FROM report_rejected") == [(0,)]


@pytest.mark.parametrize(("status", "kind"), [(403, TargetForbidden), (401, TargetRefused), (429, TargetBusy)])
def test_a_refusal_ends_the_poll_at_once(path: Path, status: int, kind: type[TargetError]):
    """No report is asked for against the server's will."""
    server = with_reports(5)
    server.odd[f"/api/reports/dmarc/{id_of(0)}"] = (status, PROBLEM, b'{"status":%d}' % status)

    async def act(life: Rig) -> None:
        with pytest.raises(kind):
            await life.run()

    live(server, path, act)

    assert len(server.asked_for("/dmarc/")) == 1


def test_trouble_with_one_list_does_not_stop_the_other_kinds(path: Path):
    """The poll fails, and has taken what it could."""
    server = with_reports(2, "tls")
    server.odd["/api/reports/dmarc"] = (200, "application/json", b'{"data":{"items":7}}')

    async def act(life: Rig) -> None:
        with pytest.raises(PayloadError, match=r"data\.items"):
            await life.run()

    live(server, path, act)

    assert query(path, "SELECT kind, count(*) FROM report GROUP BY kind") == [("tls", 2)]


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
    clock = TestClock()
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

    live(server, path, act, max_domains=3, clock=TestClock())

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
    clock = TestClock()

    async def act(life: Rig) -> None:
        await life.run()
        server.lists["dmarc"] = [id_of(2), id_of(0)]
        clock.pass_time(3 * 86400)
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

    live(server, path, act, clock=TestClock())

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
