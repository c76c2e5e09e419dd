"""Older pages of the log, over the wire, while the server goes on writing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from exporter.clock import SystemClock
from exporter.model.delivery import LogLine
from exporter.simulator import Profile, StandIn, World
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.rest.client import RestClient
from tests.support.servers.raw import run

LINES = 3000
VERSIONS = ("0.15.5", "0.16.18")


def write(count: int, *, alike: bool = False) -> Callable[[World], None]:
    """Writes so many lines, each like no other or all the same."""

    def act(world: World) -> None:
        for number in range(count):
            to = "a" if alike else f"{world.journal.log.size_bytes()}.{number}"
            world.raise_event("smtp.relay-not-allowed", {"to": f"{to}@elsewhere.test"})

    return act


def read_all(server: StandIn, version: str, limit: int, meanwhile: Callable[[World], None]) -> Sequence[LogLine]:
    """The whole log in pages of *limit*, between which *meanwhile* happens."""

    async def work() -> Sequence[LogLine]:
        clock = SystemClock()
        login = Basic("watcher@example.test" if version.startswith("0.16") else "watcher", "lab-watcher-secret")
        throttle = Throttle(clock=clock, requests=10_000)
        transport = Transport(base_url=server.url, credentials=login, clock=clock, throttle=throttle)
        rest, jmap = RestClient(transport, clock=clock), JmapClient(transport, clock=clock)
        client: StalwartClient = jmap if version.startswith("0.16") else rest
        try:
            page = await client.fetch_newest_log_lines(limit=limit)
            lines = list(page)
            while not page.ended:
                server.call(meanwhile)
                page = await client.fetch_older_log_lines(page, limit=limit)
                lines += page
            return lines
        finally:
            await transport.aclose()

    return run(work())


def relayed(server: StandIn) -> int:
    """How many of the lines in question the server has written."""
    return int(server.call(lambda world: world.ledger.log_lines["INFO", "smtp.relay-not-allowed"]))


def relays(lines: Sequence[LogLine]) -> Sequence[int]:
    """The fingerprints of the lines in question."""
    return [line.fingerprint for line in lines if line.event_id == "smtp.relay-not-allowed"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("limit", "meanwhile"), [(700, 0), (1100, 37), (1500, 900), (1200, 2000)])
def test_pages_put_together_are_the_log(version: str, limit: int, meanwhile: int):
    """No line is missing and none is there twice, however many are written between two pages."""
    with StandIn(Profile(version=version)) as server:
        server.call(write(LINES))
        there = relayed(server)

        found = relays(read_all(server, version, limit, write(meanwhile)))

    assert len(found) == len(set(found)) == there


@pytest.mark.parametrize("version", VERSIONS)
def test_equal_lines_are_as_many_as_there_are(version: str):
    """Where a page ends among a thousand equal lines, a longer look tells how many there are."""
    with StandIn(Profile(version=version)) as server:
        server.call(write(1000))
        server.call(write(1500, alike=True))
        there = relayed(server)

        found = relays(read_all(server, version, 2000, lambda world: None))

    assert len(found) == there


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rotation_between_two_pages_loses_none(version: str):
    """The files have other numbers then, and the lines other places."""
    with StandIn(Profile(version=version)) as server:
        server.call(write(LINES))
        there = relayed(server)
        rotated: list[int] = []

        def rotate_once(world: World) -> None:
            if not rotated:
                rotated.append(1)
                world.rotate_logs()
                write(10)(world)

        found = relays(read_all(server, version, 1000, rotate_once))

    assert len(found) == len(set(found)) == there


@pytest.mark.parametrize("version", VERSIONS)
def test_files_that_vanish_between_two_pages_end_the_reading(version: str):
    """What is gone is not looked for without end."""
    with StandIn(Profile(version=version)) as server:
        server.call(write(LINES))

        found = relays(read_all(server, version, 1000, lambda world: world.journal.log.empty()))

    assert 900 <= len(found) <= 1000
