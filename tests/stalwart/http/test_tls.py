"""Certificates, and what happens where only one side speaks TLS."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from exporter.errors import (
    SettingsError,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
)
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.tls import client_context
from exporter.stalwart.streams.websocket import open_websocket
from tests.support.certificates import Authority
from tests.support.servers.raw import (
    GOOD,
    always,
    raw_server,
    run,
    transport_to,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ca")


def server_context(authority: Authority, san: str) -> ssl.SSLContext:
    identity = authority.issue("server", san)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    return context


async def _asked_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> bytes:
    async with raw_server(always(GOOD), tls=server_tls) as server:
        transport = transport_to(server.url, tls=client_tls)
        try:
            return await transport.request(Endpoint.QUEUE_STATUS)
        finally:
            await transport.aclose()


def test_certificate_of_a_private_authority_is_accepted(authority: Authority) -> None:
    """A custom authority is enough."""
    body = run(_asked_over_tls(server_context(authority, "IP:127.0.0.1"), client_context(ca_file=Path(authority.cert))))

    assert body == b'{"data": true}'


@pytest.mark.parametrize("san", ["IP:127.0.0.1", "DNS:elsewhere.example"])
def test_certificate_that_does_not_convince_is_a_tls_error(authority: Authority, san: str) -> None:
    """An unknown issuer and a foreign name are refused, in words."""
    trusted = client_context(ca_file=Path(authority.cert)) if san.startswith("DNS") else client_context()

    with pytest.raises(TargetTLSError, match="not trusted"):
        run(_asked_over_tls(server_context(authority, san), trusted))


def test_checking_can_be_turned_off(authority: Authority) -> None:
    """Only explicitly."""
    context = client_context(verify=False)

    assert run(_asked_over_tls(server_context(authority, "DNS:elsewhere.example"), context)) == b'{"data": true}'


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b""])
def test_tls_to_a_plain_port_says_so(answer: bytes) -> None:
    """The commonest mistake of all is named, since it counts towards a ban."""

    async def take_for_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async def ask() -> None:
        server = await asyncio.start_server(take_for_http, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = transport_to(f"https://127.0.0.1:{port}", tls=client_context(verify=False))
        with pytest.raises((TargetTLSError, TargetUnreachable), match="plain HTTP"):
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()
        server.close()
        await server.wait_closed()

    run(ask())


def test_handshake_that_nobody_answers_meets_the_connect_deadline() -> None:
    """A port that accepts and is silent costs the connect time-out; the text names the mix-up as a cause."""

    async def ask() -> None:
        async with raw_server(always(GOOD)) as server:
            url = server.url.replace("http:", "https:")
            transport = transport_to(url, tls=client_context(verify=False), connect_timeout_seconds=0.1)
            with pytest.raises(TargetTimeout, match="TLS"):
                await transport.request(Endpoint.QUEUE_STATUS)
            await transport.aclose()

    run(ask())


def test_plain_http_to_a_tls_port_names_the_mix_up(authority: Authority) -> None:
    """The other way round it is an unreachable server, with the same hint."""

    async def ask() -> None:
        async with raw_server(always(GOOD), tls=server_context(authority, "IP:127.0.0.1")) as server:
            transport = transport_to(server.url.replace("https:", "http:"))
            with pytest.raises(TargetUnreachable, match="TLS"):
                await transport.request(Endpoint.QUEUE_STATUS)
            await transport.aclose()

    run(ask())


def closing_listener(*, waits: bool, resets: bool) -> socket.socket:
    """Accepts and closes, before or after it has heard something, as a server does that has banned an address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def close_all() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), connection:
                if waits:
                    connection.recv(1)
                if resets:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    threading.Thread(target=close_all, daemon=True).start()
    return listener


@pytest.mark.parametrize("runner", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("waits", [False, True], ids=["at once", "after a byte"])
@pytest.mark.parametrize("resets", [False, True], ids=["end", "reset"])
def test_a_connection_that_is_closed_before_an_answer_names_a_ban(
    runner: Callable[[Any], None], scheme: str, waits: bool, resets: bool
) -> None:
    """Over TLS too, where it is the handshake that never ends; and for a stream that asks to be a WebSocket."""

    async def ask(listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        tls = client_context(verify=False) if scheme == "https" else None
        transport = transport_to(f"{scheme}://127.0.0.1:{port}", tls=tls)
        with pytest.raises(TargetUnreachable, match=r"banned.*server\.blocked-ip.*BlockedIp"):
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()
        with pytest.raises(TargetUnreachable, match="banned"):
            await open_websocket(
                f"{scheme}://127.0.0.1:{port}/",
                label="live_metrics",
                tls=tls,
                user_agent="test",
                connect_timeout_seconds=5,
                answer_timeout_seconds=5,
                most_bytes=1 << 16,
                resolver=Resolver(),
            )

    with closing_listener(waits=waits, resets=resets) as listener:
        runner(ask(listener))


def test_unreadable_authority_is_an_error_of_the_settings(tmp_path: Path) -> None:
    """A file that holds no certificate is reported with its path."""
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")

    with pytest.raises(SettingsError, match=r"ca\.pem"):
        client_context(ca_file=path)
