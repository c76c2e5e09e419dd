"""Peers that exchange nothing but reports: found from the reports that came and the mail in the trail."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.ingest.jobs.reports.gauges import make_gauges
from exporter.model.report_words import ReportKind
from exporter.model.trail import MessageKind
from exporter.stalwart.rest.reports.listing import parse_report
from exporter.store.reports.store import ReportHistory
from exporter.store.store import Store
from exporter.store.trail.rows import MessageRow, TrailRows, trail_writer
from tests.support.reports import wire

NOW = wire.at("2026-11-22T12:34:56")
SECONDS = int(NOW.timestamp())
DAY = 86_400
PEER = "peer.test"
Mail = tuple[MessageKind, str, str, float, str]
"""Kind, sender, recipient, days ago, virtual queue."""


def sent(days_ago: float, *, to: str = PEER, queue: str = "report", kind: MessageKind = MessageKind.REPORT) -> Mail:
    """A report that the server sent."""
    return kind, "noreply-dmarc@example.test", f"dmarc@{to}", days_ago, queue


OLD: Mail = (MessageKind.INCOMING, "someone@elsewhere.test", "bob@example.test", 8, "local")
"""The trail reaches back over the whole window."""

LOOP = [OLD, *(sent(days) for days in range(1, 6))]


async def save_mail(store: Store, mails: Sequence[Mail]) -> None:
    """Writes messages as the trail does."""
    rows = TrailRows()
    for number, (kind, sender, recipient, days_ago, queue) in enumerate(mails, 1):
        at = int(SECONDS - days_ago * DAY)
        rows.messages[number] = MessageRow(number, at, kind=kind, sender=sender)
        rows.recipients[number, recipient] = (queue, at)
    await store.save("mx1", tallies={}, watermarks={}, rows=trail_writer([rows], "mx1"))


async def save_reports(store: Store, days: Sequence[float], email: str) -> None:
    """Writes received DMARC reports as the collector does."""
    history = ReportHistory(store, "mx1")
    reports = []
    for number, days_ago in enumerate(days):
        received = NOW - timedelta(days=days_ago)
        document = wire.dmarc(f"r-{number}", domain="example.test", begin=0, end=int(received.timestamp()))
        document["report_metadata"]["email"] = email
        reports.append(parse_report(ReportKind.DMARC, wire.report_id(received, number), wire.body(document), now=NOW))
    judged = await history.judge(reports)
    await store.save("mx1", tallies={}, watermarks={}, rows=history.writer(judged, now=NOW))


def found(
    directory: Path, mails: Sequence[Mail], days: Sequence[float], email: str = f"dmarc@{PEER}", *, most: int = 25
) -> object:
    """The gauge, of this mail and of reports received so many days ago."""

    async def look() -> object:
        store = await Store.open(directory / "history.sqlite3", now=NOW)
        await save_mail(store, mails)
        await save_reports(store, days, email)
        made = await make_gauges(ReportHistory(store, "mx1"), now=NOW, most=most)
        await store.aclose()
        return made.gauges.peers

    return asyncio.run(look())


def test_a_peer_that_exchanges_nothing_else_is_shown_with_its_reports(tmp_path: Path):
    """In both directions, within the window; the address's domain is compared in any spelling."""
    assert found(tmp_path, LOOP, [0.5, 1.5, 2.5, 9], "DMARC@Peer.TEST") == {(PEER,): 8}


def test_kind_or_queue_tells_a_report(tmp_path: Path):
    """Stored traces do not show how a message entered the queue, and up to v0.12 there is one queue."""
    by_queue = [OLD, *(sent(days, kind=MessageKind.UNKNOWN) for days in range(1, 4))]
    by_kind = [OLD, *(sent(days, queue="default") for days in range(1, 4))]

    (tmp_path / "other").mkdir()
    assert found(tmp_path, by_queue, [1, 2, 3]) == {(PEER,): 6}
    assert found(tmp_path / "other", by_kind, [1, 2, 3]) == {(PEER,): 6}


@pytest.mark.parametrize(
    "other",
    [
        (MessageKind.INCOMING, f"someone@{PEER}", "bob@example.test", 2, "local"),
        (MessageKind.SUBMITTED, "alice@example.test", f"someone@{PEER}", 2, "remote"),
        sent(2, queue="remote", kind=MessageKind.UNKNOWN),
    ],
)
def test_a_peer_with_other_mail_is_no_loop(tmp_path: Path, other: Mail):
    """One message of another kind in either direction suffices."""
    assert found(tmp_path, [*LOOP, other], [1, 2, 3]) == {}


@pytest.mark.parametrize(
    ("mails", "days"), [(LOOP, [1, 2]), (LOOP[:3], [1, 2, 3]), ([OLD, sent(8), sent(9), sent(10)], [1, 2, 3])]
)
def test_a_few_reports_are_no_loop(tmp_path: Path, mails: Sequence[Mail], days: Sequence[float]):
    """Three in each direction within the window."""
    assert found(tmp_path, mails, days) == {}


def test_a_young_trail_tells_nothing(tmp_path: Path):
    """Other mail may have been exchanged before it began."""
    assert found(tmp_path, LOOP[1:], [1, 2, 3]) is None


def test_peers_beyond_the_limit_are_summed(tmp_path: Path):
    """As with every label of a domain."""
    assert found(tmp_path, LOOP, [1, 2, 3], most=0) == {("other",): 8}
