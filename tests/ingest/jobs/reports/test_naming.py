"""The names of sources in the history: the busiest first, what was known is kept, and what is unknown comes again."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from exporter.checks.budget import QueryBudget
from exporter.checks.dns.exchange import ResolverAddress
from exporter.checks.sources.as_database import AsDatabase
from exporter.checks.sources.naming import SourceNamer
from exporter.clock import SystemClock
from exporter.ingest.jobs.reports.naming import NamingJob
from exporter.ingest.jobs.reports.readiness import ReadinessJob
from exporter.stalwart.client import StalwartClient
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.reader import HistoryReader
from exporter.store.store import Store
from tests.support.as_database import database
from tests.support.dns.server import DnsServer, dns_server, failing
from tests.support.reports import wire
from tests.support.reports.commands import answer, call
from tests.support.reports.history import daily, now, take_in
from tests.support.rigs.reports import query
from tests.support.virtual_time import HandClock

NO_CLIENT = cast(StalwartClient, None)
ZONES = (
    "1.2.0.192.in-addr.arpa. IN PTR o1.ptr.sendgrid.net.",
    "o1.ptr.sendgrid.net. IN A 192.0.2.1",
    "mx.example.test. IN A 203.0.113.9",
)
NAMES = "SELECT address, result, name, as_number FROM source_name ORDER BY address"


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Two sources, one of which fails; enough data for a verdict."""
    path = tmp_path / "h.sqlite3"
    take_in(path, daily(15, [wire.record(10, source="192.0.2.1"), failing_record("192.0.2.66")]))
    return path


def failing_record(source: str) -> wire.Json:
    """A message that fails."""
    return wire.record(1, source=source, dkim="Fail", spf="Fail")


def name(
    path: Path, server: DnsServer, clock: HandClock, *, addresses: Sequence[str] = (), systems: Path | None = None
):
    """Runs the collector of names once."""
    namer = SourceNamer(
        resolvers=[ResolverAddress("127.0.0.1", server.port)],
        budget=QueryBudget(clock=SystemClock(), per_second=90),
        query_timeout_seconds=5.0,
        rng=random.Random(1),  # noqa: S311 - nothing secret
        as_database=None if systems is None else AsDatabase(systems),
    )

    async def run() -> None:
        store = await Store.open(path, now=now())
        try:
            await NamingJob(store, HistoryReader(path), "mx1", namer, addresses, clock=clock)(NO_CLIENT)
        finally:
            await store.aclose()

    asyncio.run(run())


def test_sources_are_named_and_the_commands_show_it(history: Path, tmp_path: Path):
    """By their confirmed names, and by the network where there is none; once a week."""
    systems = tmp_path / "as.mmdb"
    systems.write_bytes(database({"192.0.2.0/24": {"autonomous_system_number": 64500, "as_name": "Example Net"}}))
    clock = HandClock(now())
    with dns_server(*ZONES) as server:
        name(history, server, clock, systems=systems)
        asked = len(server.asked)
        clock.seconds += timedelta(days=6).total_seconds()
        name(history, server, clock, systems=systems)
        again = len(server.asked) - asked

    assert query(history, NAMES) == [
        ("192.0.2.1", "good", "o1.ptr.sendgrid.net", 64500),
        ("192.0.2.66", "bad", "", 64500),
    ]
    assert again <= 2, "names are known, only whether the resolver can be believed is asked again"
    first, second = answer(history, "sources")
    assert (first["source"], first["sender"], first["name"]) == ("192.0.2.1", "SendGrid", "o1.ptr.sendgrid.net")
    assert (second["source"], second["sender"], second["name"]) == ("192.0.2.66", "AS64500 Example Net", "")
    assert "SendGrid (o1.ptr.sendgrid.net)" in call(history, "top", "sources").stdout
    assert "AS64500 Example Net" in call(history, "readiness", "example.test").stdout


def test_a_failing_resolver_leaves_what_is_known_and_is_asked_again_in_an_hour(history: Path):
    """A known name stays, an unknown one is not bad."""
    clock = HandClock(now())
    with dns_server(*ZONES) as server:
        name(history, server, clock)
        with closing(sqlite3.connect(history)) as connection, connection:
            connection.execute("DELETE FROM source_name WHERE address = '192.0.2.66'")
        clock.seconds += timedelta(days=8).total_seconds()
        server.mend = failing("SERVFAIL")
        name(history, server, clock)
        rows = query(history, NAMES)
        server.mend = None
        clock.seconds += 1800
        name(history, server, clock)
        same = query(history, NAMES)
        clock.seconds += 1800
        name(history, server, clock)

    assert (
        rows
        == same
        == [
            ("192.0.2.1", "good", "o1.ptr.sendgrid.net", None),
            ("192.0.2.66", "unknown", "", None),
        ]
    )
    assert query(history, NAMES)[1] == ("192.0.2.66", "bad", "", None)


def test_the_servers_own_addresses_are_those_configured_or_those_of_its_host_name(history: Path):
    """The checks have learned the host name; nothing is forgotten if it cannot be looked up."""
    own = "SELECT address FROM own_address"
    clock = HandClock(now())
    with closing(sqlite3.connect(history)) as connection, connection:
        row = ("mx1", "mx.example.test", "fcrdns", "good", "good", 0, 0, "{}")
        connection.execute("INSERT INTO posture VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    with dns_server(*ZONES) as server:
        name(history, server, clock)
        learned = query(history, own)
        server.mend = failing("SERVFAIL")
        name(history, server, clock)
        kept = query(history, own)
        name(history, server, clock, addresses=["192.0.2.66"])

    assert (learned, kept, query(history, own)) == ([("203.0.113.9",)], [("203.0.113.9",)], [("192.0.2.66",)])
    assert [source["kind"] for source in answer(history, "readiness", "example.test")["sources"]] == ["ours"]


def test_readiness_is_judged_again_after_new_reports_or_an_hour(history: Path):
    """Its gauges are absent while a domain's data is thin."""
    clock = HandClock(now())
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    job = ReadinessJob(board, HistoryReader(history), clock=clock, fresh_seconds=900.0, max_domains=5)

    asyncio.run(job(NO_CLIENT))
    first = board.readiness
    with closing(sqlite3.connect(history)) as connection, connection:
        connection.execute("DELETE FROM report WHERE reporter = 'reporter1.test'")
    asyncio.run(job(NO_CLIENT))
    second = board.readiness
    clock.seconds += 3600
    asyncio.run(job(NO_CLIENT))

    assert first is not None
    assert dict(first.ready) == {("example.test", "quarantine"): 0}
    assert dict(first.hurt) == {("example.test", "quarantine"): 30}
    assert second == first
    assert board.readiness is not None
    assert dict(board.readiness.ready) == {("example.test", "quarantine"): 0}, "one reporter is enough to say no"
    assert dict(board.readiness.hurt) == {("example.test", "quarantine"): 15}
