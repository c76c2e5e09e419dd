"""What counts once: each policy of a TLS report, and a DMARC report whatever its reporter adds to it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.model.report_words import ReportKind
from exporter.stalwart.rest.reports.listing import parse_report
from exporter.store.schema import MIGRATIONS
from tests.support.paths import ROOT
from tests.support.reports import wire
from tests.support.reports.tls_reports import BOTH, FIRST, NO_POLICY, SECOND, policy, report, sessions, unnamed
from tests.support.rigs.reports import Shown, check_sums, query, rig
from tests.support.servers.reports import ReportServer, serving

OLD = ROOT / "tests" / "ingest" / "jobs" / "reports" / "old"
START = wire.at("2026-11-22T00:00:00")


def listing(reports: Sequence[tuple[str, Any]]) -> ReportServer:
    """A server that has received these reports, by kind, the oldest first."""
    server = ReportServer()
    for number, (kind, body) in enumerate(reports):
        server.add(kind, wire.report_id(START + timedelta(seconds=number), number), wire.body(body, "tls@peer.test"))
    return server


def take_in(path: Path, server: ReportServer) -> Shown:
    """What one life of the collector beside *server* shows in the end."""

    async def act(url: str) -> Shown:
        async with rig(url, path) as life:
            await life.run()
            return life.shown()

    with serving(server) as url:
        return asyncio.run(act(url))


def tls_reports(shown: Shown) -> float:
    """How many TLS reports were counted."""
    return shown["stalwart_reports_total", (("kind", "tls"),)]


def test_two_reports_of_one_id_about_two_domains_are_two(tmp_path: Path):
    """However often either is mailed, and whether in one poll or after a restart."""
    path = tmp_path / "h.sqlite3"

    shown = take_in(path, listing([("tls", FIRST), ("tls", SECOND), ("tls", FIRST)]))
    again = take_in(path, listing([("tls", FIRST), ("tls", SECOND), ("tls", FIRST), ("tls", SECOND), ("tls", FIRST)]))

    assert sessions(shown) == sessions(again) == BOTH
    assert tls_reports(shown) == tls_reports(again) == 2
    check_sums(path)


def test_a_repetition_with_one_policy_more_adds_that_one(tmp_path: Path):
    """What is known of it stays as it was, in the counters and in the file."""
    path = tmp_path / "h.sqlite3"
    failing = policy("one.test", 3, "tlsa", failures=2, details=[("dane-required", 2)])
    longer = report(policy("one.test", 31), failing)

    take_in(path, listing([("tls", FIRST)]))
    shown = take_in(path, listing([("tls", FIRST), ("tls", longer)]))
    again = take_in(path, listing([("tls", FIRST), ("tls", longer), ("tls", longer)]))

    wanted = {
        ("one.test", NO_POLICY, "success"): 30,
        ("one.test", "tlsa", "success"): 3,
        ("one.test", "tlsa", "failure"): 2,
    }
    assert sessions(shown) == sessions(again) == wanted
    assert query(path, "SELECT type, successes FROM tls_policy ORDER BY 1") == [(NO_POLICY, 30), ("tlsa", 3)]
    assert query(path, "SELECT passed, failed FROM report ORDER BY id") == [(30, 0), (3, 2)]
    check_sums(path)


def test_two_policies_of_one_domain_and_type_in_one_report_are_two(tmp_path: Path):
    """A policy that changed within the day has two entries; repeated, they are the same two."""
    path = tmp_path / "h.sqlite3"
    changed = report(policy("one.test", 5, "sts"), policy("one.test", 7, "sts"))

    shown = take_in(path, listing([("tls", changed), ("tls", changed)]))

    assert sessions(shown) == {("one.test", "sts", "success"): 12}
    assert tls_reports(shown) == 1
    check_sums(path)


@pytest.mark.parametrize(
    "other",
    [
        report(policy("one.test", 30), reporter="other.test"),
        report(policy("one.test", 30), id_="another"),
        report(policy("one.test", 30), start="2026-11-20T00:00:01Z"),
        report(policy("one.test", 30), end="2026-11-21T00:00:01Z"),
        report(policy("one.test", 30, "sts")),
    ],
    ids=["organisation", "id", "begin", "end", "type"],
)
def test_whatever_names_a_policy_tells_it_apart(tmp_path: Path, other: wire.Json):
    """Organisation, id, begin, end and type, beside the domain."""
    shown = take_in(tmp_path / "h.sqlite3", listing([("tls", FIRST), ("tls", other)]))

    assert sum(sessions(shown).values()) == 60
    assert tls_reports(shown) == 2


def test_a_report_without_policies_counts_once(tmp_path: Path):
    """It says that there were no sessions; policies that come later under its id are new."""
    path = tmp_path / "h.sqlite3"

    shown = take_in(path, listing([("tls", report()), ("tls", report())]))
    later = take_in(path, listing([("tls", report()), ("tls", report()), ("tls", FIRST), ("tls", report())]))

    assert tls_reports(shown) == 1
    assert tls_reports(later) == 2
    check_sums(path)


@pytest.mark.parametrize("domain", [None, "null", "", "  "])
@pytest.mark.parametrize(
    ("others", "counted_under"),
    [
        ([policy("One.test.", 3, "tlsa")], "one.test"),
        ([policy("one.test", 3, "tlsa"), policy("ONE.TEST", 3, "sts")], "one.test"),
        ([policy("one.test", 3, "tlsa"), policy("two.test", 3, "tlsa")], "unknown"),
        ([], "unknown"),
    ],
    ids=["one", "one, spelled twice", "two", "none"],
)
def test_a_policy_without_a_domain_is_about_the_only_other_one(domain: Any, others: list[Any], counted_under: str):
    """And about none that is known where there is no other or more than one."""
    body = wire.body(report(*others, unnamed(5, 2, domain)))

    content = parse_report(ReportKind.TLS, "1_1", body, now=START).content

    assert content.policies[-1].domain == counted_under  # type: ignore[union-attr]
    assert content.policies[-1][4:6] == (5, 2)  # type: ignore[union-attr]


def from_before(path: Path) -> None:
    """
    A history as the release before made it, beside a server with the reports of `old_reports`.

    That release took the second report for a repetition of the first, and refused the fourth.
    """
    connection = sqlite3.connect(path)
    connection.executescript((OLD / "schema-2.sql").read_text())
    connection.close()


def old_reports() -> list[tuple[str, Any]]:
    """What the server had when ``old/schema-2.sql`` was made."""
    details = [("dane-required", 2)]
    third = [policy("one.test", 5, "sts"), policy("one.test", 3, "tlsa", failures=2, details=details)]
    refused = report(policy("one.test", -1, "sts"), id_="t-3")
    dmarc, feedback = ("dmarc", wire.dmarc("r-1")), ("arf", wire.arf())
    return [("tls", FIRST), ("tls", SECOND), ("tls", report(*third, id_="t-2")), ("tls", refused), dmarc, feedback]


OLD_SESSIONS = {
    ("one.test", NO_POLICY, "success"): 30,
    ("one.test", "sts", "success"): 5,
    ("one.test", "tlsa", "success"): 3,
    ("one.test", "tlsa", "failure"): 2,
}


def test_a_history_from_before_counts_nothing_again(tmp_path: Path):
    """Nor what the server lists under other ids; and the report that it had lost is taken in."""
    path = tmp_path / "h.sqlite3"
    from_before(path)
    mailed_again = [("tls", FIRST), ("tls", report(*old_reports()[2][1]["policies"], id_="t-2"))]

    shown = take_in(path, listing([*old_reports(), *mailed_again]))

    assert query(path, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    assert sessions(shown) == {**OLD_SESSIONS, ("two.test", NO_POLICY, "success"): 40}
    assert {kind: shown["stalwart_reports_total", (("kind", kind),)] for kind in ("arf", "dmarc", "tls")} == {
        "arf": 1,
        "dmarc": 1,
        "tls": 3,
    }
    assert shown["stalwart_reports_rejected_total", (("kind", "tls"),)] == 1
    check_sums(path)


def test_what_a_history_from_before_has_pruned_does_not_come_back(tmp_path: Path):
    """Where rows were deleted, the server's ids stay known."""
    path = tmp_path / "h.sqlite3"
    from_before(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("DELETE FROM report WHERE report_id = 't-2'")
    connection.close()

    shown = take_in(path, listing(old_reports()))

    assert sessions(shown) == OLD_SESSIONS
    assert tls_reports(shown) == 2


def test_what_a_release_before_refused_is_taken_in_once_it_can_be_read(tmp_path: Path):
    """It leaves the table of rejected reports; that it was rejected stays counted."""
    path = tmp_path / "h.sqlite3"
    from_before(path)
    readable = old_reports()
    readable[3] = ("tls", report(policy("one.test", 1, "sts"), id_="t-3"))

    shown = take_in(path, listing(readable))

    assert sessions(shown)["one.test", "sts", "success"] == 6
    assert shown["stalwart_reports_rejected_total", (("kind", "tls"),)] == 1
    assert query(path, "SELECT count(*) FROM report_rejected") == [(0,)]
