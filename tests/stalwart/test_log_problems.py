"""A look at a log that holds full HTTP responses must not make it grow from one look to the next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from exporter.clock import SystemClock
from exporter.simulator import Profile, StandIn
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.log_problems import LogProblem, look_at_log
from exporter.stalwart.rest.client import RestClient
from tests.support.servers.raw import run

VERSIONS = ("0.12.5", "0.15.5", "0.16.18")
LOOKS = 12


@contextmanager
def client_of(server: StandIn, version: str) -> Iterator[tuple[StalwartClient, Transport]]:
    """A client of the server's own generation."""
    clock = SystemClock()
    login = Basic("watcher@example.test" if version.startswith("0.16") else "watcher", "lab-watcher-secret")
    throttle = Throttle(clock=clock, requests=10_000)
    transport = Transport(base_url=server.url, credentials=login, clock=clock, throttle=throttle)
    rest, jmap = RestClient(transport, clock=clock), JmapClient(transport, clock=clock)
    yield jmap if version.startswith("0.16") else rest, transport


def look_often(server: StandIn, version: str) -> Sequence[tuple[LogProblem | None, int]]:
    """What each of many looks finds, and by how many bytes it makes the log grow; nothing else is asked meanwhile."""

    async def work() -> Sequence[tuple[LogProblem | None, int]]:
        looks = []
        with client_of(server, version) as (client, transport):
            for number in range(LOOKS):
                before = server.call(lambda world: world.journal.log.size_bytes())
                problem = (await look_at_log(client, again=number > 0)).problem
                looks.append((problem, server.call(lambda world: world.journal.log.size_bytes()) - before))
            await transport.aclose()
        return looks

    return run(work())


@pytest.mark.parametrize("version", VERSIONS)
def test_looks_at_a_log_of_responses_add_the_same_each_time(version: str):
    """Each look leaves responses in the log, and none of them holds those of the look before."""
    with StandIn(Profile(version=version, log_level="TRACE")) as server:
        looks = look_often(server, version)

    assert {problem for problem, _ in looks} == {LogProblem.OWN_RESPONSES}
    sizes = [size for _, size in looks[1:]]
    assert max(sizes) < 1.2 * min(sizes)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_log_that_no_longer_holds_responses_is_readable_again(version: str):
    """Responses from before the level was changed do not count, at the latest in the next second."""

    async def work(server: StandIn) -> Sequence[LogProblem | None]:
        with client_of(server, version) as (client, transport):
            found = [(await look_at_log(client)).problem]
            server.call(lambda world: setattr(world.journal, "log_level", "INFO"))
            server.advance(1)
            found.append((await look_at_log(client, again=True)).problem)
            await transport.aclose()
        return found

    with StandIn(Profile(version=version, log_level="TRACE")) as server:
        assert run(work(server)) == [LogProblem.OWN_RESPONSES, None]
