"""New source networks of a domain: each counts once, after the sources that were there from the beginning."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from exporter.errors import HistoryUnavailable
from exporter.store.reports.dmarc.networks import network_of
from exporter.store.reports.pruning import prune_batch
from exporter.store.store import Store
from tests.support.reports import wire
from tests.support.rigs.reports import Rig, query, rig
from tests.support.servers.reports import ReportServer, serving

FAMILY = "stalwart_dmarc_new_sources_total"
DAY = 86400
FIRST_END = 1_795_219_199
START = wire.at("2026-11-21T00:00:00")


def add(server: ReportServer, *sources: str, domain: str = "example.test", days: int = 0) -> None:
    """The server receives a report about *domain* with these sources, *days* after the first."""
    number = len(server.bodies)
    records = [wire.record(1, source=source) for source in sources]
    end = FIRST_END + days * DAY
    report = wire.dmarc(f"r-{number}", domain=domain, records=records, begin=end - DAY, end=end)
    server.add("dmarc", wire.report_id(START + timedelta(hours=number), number), wire.body(report))


def live(path: Path, server: ReportServer, act: Callable[[Rig], object] | None = None) -> dict[str, float]:
    """New sources by domain at the end of one life with one poll; *act* runs after the start."""

    async def run(url: str) -> dict[str, float]:
        async with rig(url, path) as life:
            if act is not None:
                act(life)
            await life.run()
            return {labels[0][1]: value for (name, labels), value in life.shown().items() if name == FAMILY}

    with serving(server) as url:
        return asyncio.run(run(url))


def test_a_network_never_seen_before_counts_once(tmp_path: Path):
    """Not the first reports, not a neighbour, not a repetition, not in the next life; but for another domain."""
    path, server = tmp_path / "h.sqlite3", ReportServer()
    add(server, "192.0.2.1", "2001:db8:1::1")
    add(server, "198.51.100.1", days=1)
    add(server, "192.0.2.1", domain="other.test")
    assert live(path, server) == {"example.test": 0, "other.test": 0}

    add(server, "192.0.2.200", "2001:db8:1:ffff::9", "203.0.113.5", "203.0.113.6", "", days=2)
    add(server, "203.0.113.7", days=2)
    add(server, "203.0.113.7", domain="other.test", days=2)
    assert live(path, server) == {"example.test": 1, "other.test": 1}
    assert live(path, server) == {"example.test": 1, "other.test": 1}

    add(server, "203.0.113.8", "2001:db8:2::1", days=3)
    assert live(path, server) == {"example.test": 2, "other.test": 1}


def test_a_domain_that_comes_later_learns_from_its_first_day(tmp_path: Path):
    """Its reporters send their first reports one after the other."""
    path, server = tmp_path / "h.sqlite3", ReportServer()
    assert live(path, server) == {}
    for source in ("192.0.2.1", "198.51.100.1"):
        add(server, source)
        assert live(path, server) == {"example.test": 0}

    add(server, "203.0.113.1", days=2)
    assert live(path, server) == {"example.test": 1}


def test_nothing_is_new_until_the_first_reading_of_the_reports_has_ended(tmp_path: Path):
    """A report that cannot be fetched keeps the first reading open; those read meanwhile are learned."""
    path, server = tmp_path / "h.sqlite3", ReportServer()
    add(server, "192.0.2.1")
    id_ = server.lists["dmarc"][0]
    add(server, "198.51.100.1", days=3)
    server.odd[f"/api/reports/dmarc/{id_}"] = (500, "application/json", b"{}")

    async def run(url: str) -> None:
        async with rig(url, path) as life:
            with pytest.raises(Exception, match="500"):
                await life.run()
            add(server, "203.0.113.1", days=4)
            server.odd.clear()
            await life.run()
            assert life.value(FAMILY, domain="example.test") == 0
            add(server, "233.252.0.1", days=5)
            await life.run()
            assert life.value(FAMILY, domain="example.test") == 1

    with serving(server) as url:
        asyncio.run(run(url))


def test_a_report_that_could_not_be_stored_counts_its_sources_when_it_is(tmp_path: Path):
    """Report, sources and counter are one transaction."""
    path, server = tmp_path / "h.sqlite3", ReportServer()
    add(server, "192.0.2.1")
    live(path, server)
    add(server, "203.0.113.1", days=2)
    break_it = "CREATE TRIGGER broken BEFORE INSERT ON dmarc_source BEGIN SELECT RAISE(ABORT, 'broken'); END"
    execute(path, break_it)
    with pytest.raises(HistoryUnavailable):
        live(path, server)
    assert query(path, "SELECT count(*) FROM report") == [(1,)]

    execute(path, "DROP TRIGGER broken")
    assert live(path, server) == {"example.test": 1}


def test_the_sources_of_an_older_history_are_known(tmp_path: Path):
    """A release without this counter has stored reports and nothing about their sources."""
    path, server = tmp_path / "h.sqlite3", ReportServer()
    add(server, "192.0.2.1", "2001:db8:1::1")
    live(path, server)
    forget = ("dmarc_source", "dmarc_domain")
    marks = "watermark WHERE source = 'dmarc_sources'", "tally WHERE name = 'dmarc_new_sources'"
    execute(path, *(f"DELETE FROM {table}" for table in (*forget, *marks)))  # noqa: S608 - our own words

    add(server, "192.0.2.9", "2001:db8:1::2", "203.0.113.1", days=2)

    assert live(path, server) == {"example.test": 1}


def execute(path: Path, *statements: str) -> None:
    """Changes the file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("addresses", "network"),
    [
        (["192.0.2.0", "192.0.2.255"], "192.0.2.0/24"),
        (["2001:db8:1::", "2001:db8:1:ffff::1"], "2001:db8:1::/48"),
        (["", "unknown", "192.0.2.256"], ""),
    ],
)
def test_neighbours_are_one_network(addresses: Sequence[str], network: str):
    """What is not an address is none."""
    assert {network_of(address) for address in addresses} == {network}


def test_a_network_that_was_not_seen_for_the_retention_is_forgotten(tmp_path: Path):
    """And counts again; what was seen since is kept."""
    path, server = tmp_path / "h.sqlite3", ReportServer()
    add(server, "192.0.2.1")
    add(server, "198.51.100.1", days=2)
    live(path, server)
    left = "SELECT network, last_at FROM dmarc_source ORDER BY last_at"
    (old, _), (kept, last_at) = query(path, left)

    async def prune() -> int:
        store = await Store.open(path, now=START)
        try:
            return await prune_batch(store, before=datetime.fromtimestamp(float(str(last_at)), UTC))
        finally:
            await store.aclose()

    assert asyncio.run(prune()) == 1
    assert (old, query(path, left)) == ("192.0.2.0/24", [(kept, last_at)])
