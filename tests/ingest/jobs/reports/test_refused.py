"""Reports that cannot be had or read: kept aside, given up or left alone, and nobody else waits for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import (
    PayloadError,
    TargetBusy,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
)
from exporter.ingest.jobs.reports.inbox import STRIKES
from exporter.store.reports.packing import unpack
from tests.support.reports import wire
from tests.support.rigs.report_polls import id_of, live, poll, with_reports
from tests.support.rigs.reports import Rig, check_sums, query
from tests.support.servers.reports import ReportServer

PROBLEM = "application/problem+json"


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
