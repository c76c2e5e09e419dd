"""The test DNS server: UDP and TCP on a loopback port, on a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from tests.support.dns.zones import Zones

Mend = Callable[[dns.message.Message, dns.message.Message], "dns.message.Message | bytes | None"]
"""Takes the query and the right response, and returns what is sent; ``None`` sends nothing."""

POLL_SECONDS = 0.02
"""How soon a server notices that it is to end."""

UDP_BYTES = 1232
MOST_ALIASES = 8


class DnsServer:
    """
    Answers from *zones*; `mend` may change any response.

    Attributes:
        asked: Name and type of each query, and the monotonic time when it came.
    """

    def __init__(self, zones: Zones) -> None:
        self.zones = zones
        self.mend: Mend | None = None
        self.asked: list[tuple[str, str, float]] = []
        self.over_tcp = 0
        self._lock = threading.Lock()
        self._udp, self._tcp = self._listen()
        self.port: int = self._udp.server_address[1]
        self._threads = [
            threading.Thread(target=one.serve_forever, args=(POLL_SECONDS,), daemon=True)
            for one in (self._udp, self._tcp)
        ]

    def _listen(self) -> tuple[socketserver.ThreadingUDPServer, socketserver.ThreadingTCPServer]:
        """Listens on one port with both protocols; another program may hold the port with one of them."""
        while True:
            udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), self._udp_handler())
            try:
                return udp, socketserver.ThreadingTCPServer(udp.server_address, self._tcp_handler())
            except OSError:
                udp.server_close()

    @property
    def address(self) -> str:
        """Where it listens, as in the settings."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> DnsServer:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()

    def answer(self, raw: bytes, *, udp: bool) -> bytes | None:
        """The bytes that answer a query."""
        query = dns.message.from_wire(raw)
        question = query.question[0]
        with self._lock:
            self.asked.append((question.name.to_text(), dns.rdatatype.to_text(question.rdtype), time.monotonic()))
            self.over_tcp += not udp
            made = self._respond(query)
        mended = self.mend(query, made) if self.mend is not None else made
        if mended is None or isinstance(mended, bytes):
            return mended
        wire = mended.to_wire(max_size=65535)
        if udp and len(wire) > UDP_BYTES:
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            return short.to_wire()
        return wire

    def _respond(self, query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        name, kind = query.question[0].name, query.question[0].rdtype
        for _ in range(MOST_ALIASES):
            row = self.zones.find(name, kind)
            alias = self.zones.find(name, dns.rdatatype.CNAME)
            if row is not None:
                response.answer.append(row)
                break
            if alias is None:
                if not self.zones.exists(name):
                    response.set_rcode(dns.rcode.NXDOMAIN)
                break
            response.answer.append(alias)
            name = alias[0].target
        if self.zones.signed:
            response.flags |= dns.flags.AD
        return response

    def _udp_handler(self) -> type[socketserver.BaseRequestHandler]:
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                raw, sock = self.request
                answer = server.answer(raw, udp=True)
                if answer is not None:
                    sock.sendto(answer, self.client_address)

        return Handler

    def _tcp_handler(self) -> type[socketserver.BaseRequestHandler]:
        server = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with contextlib.suppress(OSError, struct.error):
                    (length,) = struct.unpack("!H", _read(self.request, 2))
                    answer = server.answer(_read(self.request, length), udp=False)
                    if answer is not None:
                        self.request.sendall(struct.pack("!H", len(answer)) + answer)

        return Handler


def _read(connection: socket.socket, count: int) -> bytes:
    held = b""
    while len(held) < count and (more := connection.recv(count - len(held))):
        held += more
    return held


@contextlib.contextmanager
def dns_server(*lines: str) -> Iterator[DnsServer]:
    """A server with these records."""
    with DnsServer(Zones(*lines)) as server:
        yield server


def failing(rcode: str) -> Mend:
    """Answers every query with an error."""

    def mend(query: dns.message.Message, _: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(dns.rcode.from_text(rcode))
        return response

    return mend


def silent(_: Any, __: Any) -> None:
    """Answers nothing."""


def rewriting(address: str) -> Mend:
    """Answers with *address* for every name that does not exist."""

    def mend(query: dns.message.Message, response: dns.message.Message) -> dns.message.Message:
        if response.rcode() != dns.rcode.NXDOMAIN:
            return response
        response.set_rcode(dns.rcode.NOERROR)
        if query.question[0].rdtype == dns.rdatatype.A:
            response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", address))
        return response

    return mend
