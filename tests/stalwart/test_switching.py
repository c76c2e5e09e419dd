"""A server that is upgraded from v0.15 to v0.16, or back, while it is watched."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from exporter.clock import SystemClock
from exporter.errors import TargetError, TargetRefused, TargetUnsupported
from exporter.ingest.loops.session import Session
from exporter.model.server import Edition, Generation
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.detect import RestDetector
from exporter.stalwart.http.credentials import Basic, Bearer, Credentials
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.rest.client import RestClient
from exporter.stalwart.switching import SwitchingClient, SwitchingDetector
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from tests.support.paths import RECORDINGS
from tests.support.replays.jmap import JmapServer
from tests.support.replays.jmap_client import transport_to
from tests.support.replays.jmap_http import Response, serving
from tests.support.replays.rest import Replay

WATCHER = Basic("watcher", "lab-watcher-secret")
OLD_KEY = Basic("oldkey", "lab-watcher-secret")
"""A login that only the old server knows."""


@dataclass
class Upgraded:
    """One address, behind which first the one server stands and then the other."""

    old: Replay = field(default_factory=lambda: Replay(RECORDINGS / "rest-0.15.5"))
    new: JmapServer = field(default_factory=JmapServer.recorded)
    upgraded: bool = False
    logins: list[tuple[str, int]] = field(default_factory=list)

    def respond(self, login: str | None, method: str, path: str, body: bytes) -> Response:
        if self.upgraded:
            response = self.new.respond(login, method, path, body)
        else:
            response = self.old.answer(self._identity(login), method, path)
        if login is not None:
            self.logins.append((login, response[0]))
        return response

    def _identity(self, login: str | None) -> str:
        if login is None:
            return "none"
        name, _, _ = base64.b64decode(login.removeprefix("Basic ")).decode().partition(":")
        return "prometheus" if name == "prometheus" else "watcher"


@dataclass
class Watch:
    """A client and the session that detects for it."""

    client: SwitchingClient
    detector: SwitchingDetector
    session: Session
    board: ServerBoard

    async def poll(self, job: Callable[[StalwartClient], Awaitable[Any]]) -> Any:
        """One run of a collector, as its poller makes it."""
        client = await self.session.client()
        try:
            result = await job(client)
        except TargetUnsupported:
            self.session.gone()
            raise
        except TargetError as error:
            self.session.note(error)
            raise
        self.session.note(None)
        return result


@asynccontextmanager
async def watching(url: str, login: Credentials) -> AsyncIterator[Watch]:
    """Watches a server."""
    clock = SystemClock()
    transport = transport_to(url, login=login, clock=clock)
    jmap = JmapClient(transport, clock=clock)
    client = SwitchingClient(rest=RestClient(transport, clock=clock), jmap=jmap)
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    detector = SwitchingDetector(RestDetector(transport), jmap, client)
    session = Session(detector=detector, client=client, board=board, clock=clock, rng=random.Random(1))  # noqa: S311 - jitter
    running = asyncio.create_task(session.run())
    try:
        yield Watch(client, detector, session, board)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await client.aclose()


def watched(server: Upgraded, login: Credentials, scenario: Callable[[Watch], Awaitable[None]]) -> None:
    """Plays a scenario against a server."""

    async def run(url: str) -> None:
        async with watching(url, login) as watch:
            async with asyncio.timeout(20):
                await scenario(watch)

    with serving(server) as url:
        asyncio.run(run(url), debug=True)


async def queue_length(client: StalwartClient) -> int:
    """How many messages wait."""
    return (await client.fetch_queue(max_messages=0)).messages


async def until(watch: Watch, condition: Callable[[], bool]) -> None:
    """Waits until what the board shows fulfils a condition."""
    changed = asyncio.Event()
    watch.board.subscribe(changed.set)
    while not condition():
        changed.clear()
        await changed.wait()


async def until_generation(watch: Watch, generation: Generation) -> None:
    """Waits until detection has found it."""
    await until(watch, lambda: watch.board.identity is not None and watch.board.identity.generation is generation)


def test_an_upgraded_server_is_recognised_and_spoken_to_in_its_own_way():
    """The first poll that finds the old paths gone starts detection; the next one asks the new ones."""
    server = Upgraded()

    async def scenario(watch: Watch) -> None:
        assert await watch.poll(queue_length) == 11
        assert watch.client.generation is Generation.REST
        before = await watch.client.fetch_native_totals()

        server.upgraded = True
        with pytest.raises(TargetUnsupported):
            await watch.poll(queue_length)
        await until_generation(watch, Generation.JMAP)

        assert await watch.poll(queue_length) == 13
        assert watch.client.generation is Generation.JMAP
        after = await watch.client.fetch_native_totals()
        assert {"queue.message-queued", "queue.dsn-queued"} <= before.counters.keys() & after.counters.keys()
        identity = watch.board.identity
        assert identity is not None
        assert identity.edition is Edition.COMMUNITY

    watched(server, WATCHER, scenario)
    assert {status for _, status in server.logins} <= {200, 404}


def test_a_server_that_is_set_back_is_recognised_too():
    """Its JMAP does not know management objects."""
    server = Upgraded(upgraded=True)

    def respond_as_before(login: str | None, method: str, path: str, body: bytes) -> Response:
        if path == "/jmap/":
            problem = b'{"type":"urn:ietf:params:jmap:error:notRequest","status":400,"detail":"?"}'
            return 400, {"content-type": "application/problem+json"}, problem
        return Upgraded.respond(server, login, method, path, body)

    async def scenario(watch: Watch) -> None:
        assert await watch.poll(queue_length) == 13

        server.upgraded = False
        server.respond = respond_as_before  # type: ignore[method-assign]
        with pytest.raises(TargetUnsupported):
            await watch.poll(queue_length)
        await until_generation(watch, Generation.REST)

        assert await watch.poll(queue_length) == 11

    watched(server, WATCHER, scenario)


@pytest.mark.parametrize("login", [OLD_KEY, Bearer("api_" + base64.b64encode(b"oldkey:lab-watcher-secret").decode())])
def test_credentials_that_the_new_server_refuses_are_sent_to_it_once(login: Credentials):
    """A key of v0.15 is none of v0.16; repeated, it would get our address banned."""
    server = Upgraded()

    async def scenario(watch: Watch) -> None:
        assert await watch.poll(queue_length) == 11

        server.upgraded = True
        with pytest.raises(TargetUnsupported):
            await watch.poll(queue_length)
        await until(watch, lambda: watch.board.up is False)

        for _ in range(5):
            with pytest.raises(TargetRefused):
                await watch.poll(queue_length)
            with pytest.raises(TargetRefused):
                await watch.detector.detect()

    watched(server, login, scenario)
    assert [status for _, status in server.logins].count(401) == 1


def test_only_the_newer_generation_takes_an_inventory():
    """Of the earlier one nothing is asked."""
    server = Upgraded()

    async def scenario(watch: Watch) -> None:
        await watch.session.client()
        with pytest.raises(TargetUnsupported):
            await watch.client.fetch_inventory()

        server.upgraded = True
        await watch.detector.detect()
        assert (await watch.client.fetch_inventory()).domains == 1

    watched(server, WATCHER, scenario)


def test_the_page_of_the_server_itself_is_read_through_either_client():
    """It has a login of its own, which no refusal of ours touches."""
    server = Upgraded(upgraded=True)

    async def scenario(watch: Watch) -> None:
        for _ in range(2):
            totals = await watch.client.fetch_native_totals()
            assert totals.counters["auth.failed"] == 5
        await until_generation(watch, Generation.JMAP)
        assert (await watch.client.fetch_native_totals()).counters["auth.failed"] == 5

    watched(server, WATCHER, scenario)


def test_a_generation_that_is_not_known_changes_nothing():
    """A proxy's error page is no other server."""

    class Client:
        def __init__(self, generation: Generation) -> None:
            self.generation = generation

    rest, jmap = Client(Generation.REST), Client(Generation.JMAP)
    client = SwitchingClient(rest=rest, jmap=jmap)  # type: ignore[arg-type]

    client.use(Generation.JMAP)
    client.use(Generation.UNKNOWN)

    assert client.generation is Generation.JMAP
