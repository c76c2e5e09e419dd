"""The collector of reports against a server that lists, lies, limits and fails."""

from __future__ import annotations

from pathlib import Path

from exporter.ingest.jobs.reports.job import PAGE
from tests.support.reports import wire
from tests.support.rigs.report_polls import id_of, live, poll, with_reports
from tests.support.rigs.reports import Rig, check_sums, query
from tests.support.servers.reports import ReportServer


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
