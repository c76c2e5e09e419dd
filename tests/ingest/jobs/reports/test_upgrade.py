"""A server that is upgraded between generations lists its reports under new ids, and each still counts once."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.stalwart.common.report_ids import lasting_id, spelled_alike
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.rest.client import RestClient
from tests.ingest.jobs.reports.test_recordings import facts
from tests.support.replays.jmap import JmapServer, id_of
from tests.support.replays.jmap_http import serving as serving_jmap
from tests.support.replays.rest import replay
from tests.support.reports import wire
from tests.support.rigs.reports import Shown, check_sums, query, rig
from tests.support.servers.reports import ReportServer
from tests.support.servers.reports import serving as serving_rest

START = wire.at("2026-11-20T00:00:00")
GENERATIONS = {"rest-0.15.5": RestClient, "jmap-0.16.18": JmapClient}
COUNT = "SELECT count(*) FROM report WHERE kind = 'arf'"


def recorded(generation: str) -> AbstractContextManager[Any]:
    """A recorded server, served."""
    return serving_jmap(JmapServer.recorded()) if GENERATIONS[generation] is JmapClient else replay(generation)


def take_in(path: Path, url: str, client: type[RestClient | JmapClient], polls: int = 1) -> Shown:
    """What one life of the collector shows in the end."""

    async def act() -> Shown:
        async with rig(url, path, client=client) as life:
            for _ in range(polls):
                await life.run()
            return life.shown()

    return asyncio.run(act())


def from_rest(path: Path, server: ReportServer) -> Shown:
    """One life beside a server of v0.15."""
    with serving_rest(server) as url:
        return take_in(path, url, RestClient)


def from_jmap(path: Path, server: JmapServer) -> Shown:
    """One life beside a server of v0.16."""
    with serving_jmap(server) as url:
        return take_in(path, url, JmapClient)


def upgraded(numbers: list[int], **members: Any) -> JmapServer:
    """A server of v0.16 that has the feedback of `wire.arf` so often, under these numbers."""
    server = JmapServer.recorded()
    row = next(row for row in server.rows["ArfExternalReport"] if row["report"]["feedbackType"] == "abuse")
    told = wire.arf()
    report = {
        **row["report"],
        "arrivalDate": "2026-11-21T10:00:00Z",
        "originalRcptTo": told["original_rcpt_to"],
        "sourceIp": told["source_ip"],
        **members,
    }
    rows = [{**row, "id": id_of(number), "from": "noreply@reporter.test", "report": report} for number in numbers]
    server.rows["ArfExternalReport"] = rows
    server.rows["DmarcExternalReport"] = server.rows["TlsExternalReport"] = []
    return server


def before_the_upgrade(count: int, **members: Any) -> ReportServer:
    """A server of v0.15 that has the feedback of `wire.arf` so often."""
    server = ReportServer()
    for number in range(count):
        id_ = wire.report_id(START + timedelta(seconds=number), number)
        server.add("arf", id_, wire.body(wire.arf(**members)))
    return server


def numbers_of(server: ReportServer) -> list[int]:
    """The numbers in its ids, the newest first."""
    return [int(lasting_id(id_)) for id_ in server.lists["arf"]]


@pytest.mark.parametrize("order", [["rest-0.15.5", "jmap-0.16.18"], ["jmap-0.16.18", "rest-0.15.5"]])
def test_what_both_generations_list_counts_once(tmp_path: Path, order: list[str]):
    """The two recorded servers had the same mail: after an upgrade, or back, all numbers are what they were."""
    path = tmp_path / "h.sqlite3"
    seen = []

    for generation in [*order, *order]:
        with recorded(generation) as served:
            url = served if isinstance(served, str) else served[0]
            shown = take_in(path, url, GENERATIONS[generation], polls=2)
        wanted = facts(generation)
        seen.append({key: value for key, value in shown.items() if key[0].endswith("_total")})
        assert {key: shown.get(key) for key in wanted} == wanted

    assert seen[1:] == seen[:-1]
    assert dict(query(path, "SELECT kind, count(*) FROM report GROUP BY kind")) == {"arf": 3, "dmarc": 4, "tls": 2}
    assert query(path, "SELECT count(*) FROM report_rejected") == [(0,)]
    check_sums(path)


def test_equal_feedback_counts_as_often_as_one_list_has_it(tmp_path: Path):
    """Two equal complaints before the upgrade are the two after it, and a third is a third."""
    path = tmp_path / "h.sqlite3"

    from_rest(path, before_the_upgrade(2))
    assert query(path, COUNT) == [(2,)]
    from_jmap(path, upgraded([9001, 9002]))
    assert query(path, COUNT) == [(2,)]
    shown = from_jmap(path, upgraded([9001, 9002, 9003]))

    assert query(path, COUNT) == [(3,)]
    assert shown["stalwart_reports_total", (("kind", "arf"),)] == 3
    assert query(path, "SELECT source_id FROM report ORDER BY id") == [(id_of(n),) for n in (9001, 9002, 9003)]
    check_sums(path)


def test_an_upgrade_that_keeps_the_numbers_needs_no_likeness(tmp_path: Path):
    """Feedback that does not tell when its message arrived is known by what lasts in its id."""
    path = tmp_path / "h.sqlite3"
    server = before_the_upgrade(2, arrival_date=None)

    from_rest(path, server)
    from_jmap(path, upgraded(numbers_of(server), arrivalDate=None))
    from_jmap(path, upgraded([*numbers_of(server), 9009], arrivalDate=None))

    assert query(path, COUNT) == [(3,)]
    check_sums(path)


@pytest.mark.parametrize(
    "other",
    [
        {"sourceIp": "192.0.2.99"},
        {"originalRcptTo": "<other@reporter.test>"},
        {"arrivalDate": "2026-11-21T10:00:01Z"},
        {"feedbackType": "fraud"},
        {"reportedDomains": {"example.test": True, "other.test": True}},
        {"userAgent": "[1"},
    ],
)
def test_feedback_that_says_something_else_is_another(tmp_path: Path, other: dict[str, Any]):
    """Whatever differs tells two complaints apart, also across an upgrade."""
    path = tmp_path / "h.sqlite3"

    from_rest(path, before_the_upgrade(1))
    from_jmap(path, upgraded([9001], **other))

    assert query(path, COUNT) == [(2,)]


def test_the_order_of_a_list_does_not_tell_feedback_apart(tmp_path: Path):
    """Later servers keep lists as sets."""
    path = tmp_path / "h.sqlite3"

    from_rest(path, before_the_upgrade(1, reported_domain=["b.test", "a.test"], reported_uri=["x:2", "x:1", "x:2"]))
    from_jmap(
        path, upgraded([9001], reportedDomains={"a.test": True, "b.test": True}, reportedUris={"x:1": 1, "x:2": 1})
    )

    assert query(path, COUNT) == [(1,)]


def test_a_rejected_report_is_set_aside_once_under_whatever_id(tmp_path: Path):
    """Listed with another time to live, or by an upgraded server: one row, counted once."""
    path = tmp_path / "h.sqlite3"
    shown = []
    for keep_days in (30, 90):
        server = ReportServer()
        id_ = wire.report_id(START, 7, keep_days=keep_days)
        server.add("arf", id_, wire.body(wire.arf(incidents=-1)))
        shown.append(from_rest(path, server))
    shown.append(from_jmap(path, upgraded([int(lasting_id(id_))], incidents=-1)))

    assert [life["stalwart_reports_rejected_total", (("kind", "arf"),)] for life in shown] == [1, 1, 1]
    assert query(path, "SELECT count(*) FROM report_rejected") == [(1,)]
    check_sums(path)


def test_the_server_may_keep_reports_for_longer_without_renaming_them(tmp_path: Path):
    """The time to live is a part of the id of v0.15, and says nothing about the report."""
    path = tmp_path / "h.sqlite3"
    for keep_days in (30, 90):
        server = ReportServer()
        for number in range(3):
            id_ = wire.report_id(START, number, keep_days=keep_days)
            server.add("arf", id_, wire.body(wire.arf()))
            server.add("dmarc", id_, wire.body(wire.dmarc(f"r-{number}")))
        from_rest(path, server)

    assert dict(query(path, "SELECT kind, count(*) FROM report GROUP BY kind")) == {"arf": 3, "dmarc": 3}
    check_sums(path)


@pytest.mark.parametrize(
    ("id_", "lasting"),
    [
        ("341999514053273756_1797950076", "341999514053273756"),
        ("jpyhmuzoaxqa", "342000227930103296"),
        ("b", "1"),
        ("ab", "ab"),
        ("888", "888"),
        ("", ""),
    ],
)
def test_what_lasts_in_an_id_is_its_number(id_: str, lasting: str):
    """In either spelling; what is neither stays as it is."""
    assert lasting_id(id_) == lasting


def test_ids_of_two_generations_are_spelled_differently():
    """And those of one alike."""
    assert spelled_alike("1_2", "3_4")
    assert spelled_alike("jpyh", "b")
    assert not spelled_alike("1_2", "jpyh")
