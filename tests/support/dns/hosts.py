"""A policy host and a mail host on loopback ports, with certificates of the test's own."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
from collections.abc import Iterator

from tests.support.certificates import Identity


def _context(identity: Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    return context


@contextlib.contextmanager
def _serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def policy_host(identity: Identity, response: bytes, seen: list[bytes] | None = None) -> Iterator[int]:
    """The port of an HTTPS server that gives *response* to every request, which it adds to *seen*."""
    context = _context(identity)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as connection:
                request = connection.recv(65536)
                if seen is not None:
                    seen.append(request)
                connection.sendall(response)

    with _serving(Handler) as port:
        yield port


def policy_response(policy: str, status: str = "200 OK") -> bytes:
    """A policy as an HTTP response."""
    body = policy.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


@contextlib.contextmanager
def mail_host(identity: Identity | None, seen: list[bytes] | None = None) -> Iterator[int]:
    """The port of an SMTP server that offers STARTTLS if it has an identity; commands are added to *seen*."""
    context = None if identity is None else _context(identity)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError):
                self.wfile.write(b"220-mx.example.test\r\n220 ready\r\n")
                while line := self.rfile.readline():
                    if seen is not None:
                        seen.append(line)
                    if line.upper().startswith(b"EHLO"):
                        offer = b"250-STARTTLS\r\n" if context is not None else b""
                        self.wfile.write(b"250-mx.example.test\r\n" + offer + b"250 8BITMIME\r\n")
                    elif line.upper().startswith(b"STARTTLS") and context is not None:
                        self.wfile.write(b"220 go on\r\n")
                        with context.wrap_socket(self.request, server_side=True) as connection:
                            connection.recv(1)
                        return
                    else:
                        self.wfile.write(b"502 no\r\n")

    with _serving(Handler) as port:
        yield port
