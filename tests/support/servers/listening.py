"""Mail listeners on loopback, over IPv4 and IPv6 on the same port, that shake hands or go wrong."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from exporter.model.outside import Family, Port, Protocol
from tests.support.certificates import Identity

FLOOD_BYTES = 100 << 20


@dataclass
class Listening:
    """
    A listener.

    Attributes:
        heard: The lines of clients, before and after a handshake, by family.
        connections: The number of connections, by family.
        sent_bytes: What a flood has sent.
    """

    port: int = 0
    heard: dict[Family, list[bytes]] = field(default_factory=lambda: {family: [] for family in Family})
    connections: dict[Family, int] = field(default_factory=lambda: dict.fromkeys(Family, 0))
    sent_bytes: int = 0


Behaviour = Callable[[socket.socket, list[bytes], Listening], None]
"""Serves one connection."""


def server_context(identity: Identity) -> ssl.SSLContext:
    """A server's side."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    return context


def speaks(protocol: Protocol, context: ssl.SSLContext | None) -> Behaviour:
    """A listener that does what it should; without a context it does not offer STARTTLS."""

    def serve(connection: socket.socket, heard: list[bytes], _: Listening) -> None:
        _Session(protocol, context, heard).serve(connection)

    return serve


class _Session:
    def __init__(self, protocol: Protocol, context: ssl.SSLContext | None, heard: list[bytes]) -> None:
        self._protocol = protocol
        self._context = context
        self._heard = heard

    def serve(self, connection: socket.socket) -> None:
        if self._protocol in (Protocol.SMTPS, Protocol.IMAPS, Protocol.POP3S, Protocol.HTTPS):
            self._secure(connection)
            return
        plain = {
            Protocol.SMTP: (b"220-mx.example.test\r\n220 ready\r\n", b"EHLO", b"STARTTLS", b"220 go on\r\n"),
            Protocol.IMAP: (b"* OK ready\r\n", b"a1 CAPABILITY", b"a2 STARTTLS", b"a2 OK begin\r\n"),
            Protocol.POP3: (b"+OK ready\r\n", b"CAPA", b"STLS", b"+OK begin\r\n"),
            Protocol.SIEVE: (self._sieve(), b"", b"STARTTLS", b"OK\r\n"),
        }[self._protocol]
        greeting, asks, starts, begin = plain
        connection.sendall(greeting)
        with connection.makefile("rb") as lines:
            while line := lines.readline():
                self._heard.append(line)
                if asks and line.startswith(asks):
                    connection.sendall(self._offer())
                elif line.startswith(starts) and self._context is not None:
                    connection.sendall(begin)
                    self._secure(connection)
                    return
                else:
                    return

    def _offer(self) -> bytes:
        offers = self._context is not None
        return {
            Protocol.SMTP: b"250-mx.example.test STARTTLS\r\n" + offers * b"250-STARTTLS\r\n" + b"250 8BITMIME\r\n",
            Protocol.IMAP: b"* CAPABILITY IMAP4rev2" + offers * b" STARTTLS" + b"\r\na1 OK done\r\n",
            Protocol.POP3: b"+OK\r\nUIDL\r\n" + offers * b"STLS\r\n" + b".\r\n",
        }[self._protocol]

    def _sieve(self) -> bytes:
        return b'"IMPLEMENTATION" "test"\r\n' + (self._context is not None) * b'"STARTTLS"\r\n' + b'OK "ready"\r\n'

    def _secure(self, connection: socket.socket) -> None:
        assert self._context is not None
        with self._context.wrap_socket(connection, server_side=True) as secure:
            greeting = {
                Protocol.SMTPS: b"220 mx.example.test ready\r\n",
                Protocol.IMAPS: b"* OK ready\r\n",
                Protocol.POP3S: b"+OK ready\r\n",
                Protocol.SIEVE: b'"IMPLEMENTATION" "test"\r\nOK\r\n',
            }.get(self._protocol, b"")
            if greeting:
                secure.sendall(greeting)
            if line := secure.recv(1000):
                self._heard.append(b"secure " + line)
                secure.sendall(b"221 bye\r\n")
                secure.recv(1000)


def hangs(connection: socket.socket, heard: list[bytes], _: Listening) -> None:
    """Says nothing, whatever it hears."""
    while line := connection.recv(1000):
        heard.append(line)


def closes(connection: socket.socket, heard: list[bytes], _: Listening) -> None:
    """Ends each connection at once, as for a blocked address."""


def sends(text: bytes) -> Behaviour:
    """Sends *text* and nothing else."""

    def serve(connection: socket.socket, heard: list[bytes], _: Listening) -> None:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        hangs(connection, heard, _)

    return serve


def floods(piece: bytes) -> Behaviour:
    """Repeats *piece* for 100 MiB, if anybody takes it."""

    def serve(connection: socket.socket, heard: list[bytes], listening: Listening) -> None:
        block = piece * (65536 // len(piece))
        while listening.sent_bytes < FLOOD_BYTES:
            listening.sent_bytes += connection.send(block)

    return serve


class _Server6(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6


@contextlib.contextmanager
def listening(behaviours: Mapping[Family, Behaviour]) -> Iterator[Listening]:
    """A listener with one behaviour per family; over a family that is left out, connections are refused."""
    made = Listening()
    handlers = {family: _handler(made, family, behaviour) for family, behaviour in behaviours.items()}
    servers = _bound(handlers)
    made.port = servers[0].server_address[1]
    threads = [threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def _bound(handlers: Mapping[Family, type[socketserver.BaseRequestHandler]]) -> list[socketserver.ThreadingTCPServer]:
    """Servers of each family on one port, which no other family of another program has."""
    while True:
        four = socketserver.ThreadingTCPServer(
            ("127.0.0.1", 0), handlers.get(Family.IPV4, socketserver.BaseRequestHandler)
        )
        port = four.server_address[1]
        try:
            six = _Server6(("::1", port), handlers.get(Family.IPV6, socketserver.BaseRequestHandler))
        except OSError:
            four.server_close()
            continue
        servers = []
        for family, server in ((Family.IPV4, four), (Family.IPV6, six)):
            server.daemon_threads, server.block_on_close = True, False
            if family in handlers:
                servers.append(server)
            else:
                server.server_close()
        return servers


def _handler(made: Listening, family: Family, behaviour: Behaviour) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            made.connections[family] += 1
            with contextlib.suppress(OSError):
                behaviour(self.request, made.heard[family], made)

    return Handler


def both(behaviour: Behaviour) -> dict[Family, Behaviour]:
    """The same over both families."""
    return dict.fromkeys(Family, behaviour)


def port_of(listener: Listening, protocol: Protocol) -> Port:
    """Where it listens, as in the settings."""
    return Port(listener.port, protocol)
