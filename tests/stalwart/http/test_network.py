"""Connections to a host with several addresses, and the name that they are made for."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpcore
import pytest
import uvloop

from exporter.errors import TargetTLSError
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.network import STAGGER_SECONDS, Network, first_connected
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.tls import client_context
from exporter.stalwart.streams.websocket import OrdinaryAnswer, open_websocket
from tests.support.certificates import Authority
from tests.support.servers.raw import GOOD, RawServer, always, raw_server, run, transport_to
from tests.support.virtual_time import run_virtually

NAME = "mx1.example.test"
V6, V4 = ["2001:db8::1", "2001:db8::2", "2001:db8::3"], ["192.0.2.1", "192.0.2.2"]


class Host:
    """
    A host whose addresses each take some seconds to connect, or fail after some: refused or *after_connecting*.

    Attributes:
        tried: Each address with the time at which it was tried.
        closed: Connections that were closed, by their address.
        given_up: Addresses whose attempt was cancelled.
    """

    def __init__(
        self,
        *,
        connects: dict[str, float] | None = None,
        fails: dict[str, float] | None = None,
        after_connecting: Container[str] = (),
    ) -> None:
        self.tried: list[tuple[str, float]] = []
        self.closed: list[str] = []
        self.given_up: list[str] = []
        self._connects = connects or {}
        self._fails = fails or {}
        self._after_connecting = after_connecting

    async def connect(self, address: str) -> str:
        self.tried.append((address, asyncio.get_running_loop().time()))
        try:
            if address in self._fails:
                await asyncio.sleep(self._fails[address])
                if address in self._after_connecting:
                    raise ssl.SSLError(1, "handshake")
                raise ConnectionRefusedError(errno.ECONNREFUSED, address)
            await asyncio.sleep(self._connects.get(address, 3600))
        except asyncio.CancelledError:
            self.given_up.append(address)
            raise
        return address

    async def close(self, connection: str) -> None:
        self.closed.append(connection)

    def reached(self, addresses: Sequence[str]) -> tuple[str, float]:
        """The address that is connected first, and when."""

        async def scenario() -> tuple[str, float]:
            found = await first_connected(addresses, self.connect, self.close)
            return found, asyncio.get_running_loop().time()

        return run_virtually(scenario())


def test_families_take_turns_beginning_with_the_preferred_one():
    """A family without a route costs one head start and not one for each of its addresses."""
    host = Host(connects={V4[-1]: 0.0})

    host.reached([*V6, *V4])

    assert [address for address, _ in host.tried] == [V6[0], V4[0], V6[1], V4[1]]


def test_ipv4_goes_first_where_the_system_prefers_it():
    """The order of the system's answer decides which family begins; within a family it is kept."""
    host = Host(connects={V6[-1]: 0.0})

    host.reached([*V4, *V6])

    assert [address for address, _ in host.tried] == [V4[0], V6[0], V4[1], V6[1], V6[2]]


def test_each_address_has_a_head_start():
    """The next address is tried after 250 ms beside the one that is still silent."""
    host = Host(connects={V6[1]: 0.1})

    assert host.reached([*V6, *V4]) == (V6[1], 2 * STAGGER_SECONDS + 0.1)
    assert host.tried == [(V6[0], 0.0), (V4[0], STAGGER_SECONDS), (V6[1], 2 * STAGGER_SECONDS)]
    assert STAGGER_SECONDS == 0.25


def test_an_address_that_fails_does_not_use_up_its_head_start():
    """After a refusal the next one is tried at once."""
    host = Host(fails={V6[0]: 0.01}, connects={V4[0]: 0.01})

    assert host.reached([V6[0], V4[0]]) == (V4[0], 0.02)


def test_a_slow_address_may_still_be_the_first():
    """An address stays in the race when others are tried beside it; those are given up at the end."""
    host = Host(connects={V6[0]: 0.6})

    assert host.reached([*V6, *V4]) == (V6[0], 0.6)
    assert sorted(host.given_up) == sorted([V4[0], V6[1]])


def test_a_second_connection_is_closed():
    """Of two addresses that answer at the same moment one is used, and no connection is left open."""
    host = Host(connects={V6[0]: STAGGER_SECONDS + 0.1, V4[0]: 0.1})

    used, _ = host.reached([V6[0], V4[0]])

    assert {used, *host.closed} == {V6[0], V4[0]}
    assert used not in host.closed


def test_the_first_address_says_why_none_can_be_reached():
    """The error is that of the address that the system prefers."""
    host = Host(fails={V6[0]: 0.9, V4[0]: 0.0, V6[1]: 0.0})

    with pytest.raises(ConnectionRefusedError, match=V6[0]):
        host.reached([V6[0], V4[0], V6[1]])


def test_an_address_that_answers_says_more_than_one_that_refuses():
    """What fails behind an accepted connection is reported, and not that IPv6 has no route."""
    host = Host(fails={V6[0]: 0.0, V4[0]: 0.1}, after_connecting={V4[0]})

    with pytest.raises(ssl.SSLError):
        host.reached([V6[0], V4[0]])


def test_giving_up_ends_every_attempt():
    """A deadline leaves no attempt behind."""
    host = Host()

    async def scenario() -> None:
        async with asyncio.timeout(0.6):
            await first_connected([*V6, *V4], host.connect, host.close)

    with pytest.raises(TimeoutError):
        run_virtually(scenario())
    assert sorted(host.given_up) == sorted(address for address, _ in host.tried)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("network"), "ca")


class NamedServer:
    """
    A TLS server with a certificate for *san* alone.

    Attributes:
        names: The server names that its clients asked for.
    """

    def __init__(self, authority: Authority, san: str) -> None:
        identity = authority.issue(san.partition(":")[2], san)
        self.names: list[str | None] = []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(identity.cert, identity.key)
        self.context.sni_callback = self._note

    def _note(self, _: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        self.names.append(name)


def to_loopback(host: str) -> Sequence[str]:
    """Every name is this machine, which listens on one family only."""
    assert host == NAME
    return ["::1", "127.0.0.1"]


Client = Callable[[str, ssl.SSLContext], Awaitable[None]]


async def requests(url: str, tls: ssl.SSLContext) -> None:
    """One request of the management API."""
    transport = transport_to(url, tls=tls, resolver=Resolver(lookup=to_loopback))
    try:
        assert await transport.request(Endpoint.QUEUE_STATUS) == b'{"data": true}'
    finally:
        await transport.aclose()


async def asks_for_a_websocket(url: str, tls: ssl.SSLContext) -> None:
    """One handshake, which the server answers as an ordinary request."""
    answer = await open_websocket(
        url,
        label="live_metrics",
        tls=tls,
        user_agent="test",
        connect_timeout_seconds=30,
        answer_timeout_seconds=30,
        most_bytes=1 << 16,
        resolver=Resolver(lookup=to_loopback),
    )
    assert isinstance(answer, OrdinaryAnswer)


async def talk(server: NamedServer, authority: Authority, client: Client) -> RawServer:
    async with raw_server(always(GOOD), tls=server.context) as raw:
        url = raw.url.replace("127.0.0.1", NAME)
        await client(f"{url}/", client_context(ca_file=Path(authority.cert)))
        return raw


@pytest.mark.parametrize("client", [requests, asks_for_a_websocket])
def test_the_name_stays_the_hosts_name(authority: Authority, client: Client):
    """The server name in the handshake, the name in the certificate and the Host header are not the address."""
    server = NamedServer(authority, f"DNS:{NAME}")

    raw = run(talk(server, authority, client))

    assert server.names == [NAME]
    assert [asked.headers["host"].partition(":")[0] for asked in raw.asked] == [NAME]


@pytest.mark.parametrize("client", [requests, asks_for_a_websocket])
def test_a_certificate_for_the_address_is_not_enough(authority: Authority, client: Client):
    """Whoever controls the resolver cannot pass off a server of his own."""
    server = NamedServer(authority, "IP:127.0.0.1")

    with pytest.raises(TargetTLSError, match="not trusted"):
        run(talk(server, authority, client))


@contextmanager
def hanging_lookup() -> Iterator[tuple[Callable[[str], Sequence[str]], threading.Event]]:
    """A look-up without an answer, and what is set once it is under way."""
    begun, may_end = threading.Event(), threading.Event()

    def look_up(_: str) -> Sequence[str]:
        begun.set()
        may_end.wait()
        return ["127.0.0.1"]

    try:
        yield look_up, begun
    finally:
        may_end.set()


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_connection_that_is_gone_fails_where_it_is_used(runner: Callable[[Any], None]):
    """Looking at it raises nothing, and writing to it is an error of the network."""

    async def use(port: int) -> None:
        stream = await Network(Resolver()).connect_tcp("127.0.0.1", port, 5)
        await stream.aclose()
        await asyncio.sleep(0)

        assert stream.get_extra_info("ssl_object") is None
        with pytest.raises(httpcore.WriteError):
            await stream.write(b"GET / HTTP/1.1\r\n", 5)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        runner(use(listener.getsockname()[1]))


def test_closing_does_not_wait_for_a_hanging_look_up():
    """Neither the request that is given up nor the connections wait for the resolver."""
    with hanging_lookup() as (look_up, begun):

        async def scenario() -> None:
            transport = transport_to(
                f"http://{NAME}:1", resolver=Resolver(lookup=look_up), connect_timeout_seconds=3600
            )
            asking = asyncio.ensure_future(transport.request(Endpoint.QUEUE_STATUS))
            assert await asyncio.to_thread(begun.wait, 30)

            asking.cancel()
            await asyncio.wait([asking])
            await transport.aclose()

            assert asking.cancelled()

        run(scenario())
        assert any(thread.name == f"resolver-{NAME}" for thread in threading.enumerate())
