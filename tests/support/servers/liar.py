"""A server that behaves until it is asked for one thing, and then floods: plain threads and sockets."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Flood = Callable[[socket.socket], None]
"""Answers one request on a connection; returns or raises OSError when the client has gone."""

UNAUTHORIZED = {
    "type": "about:blank",
    "status": 401,
    "title": "Unauthorized",
    "detail": "You have to authenticate first.",
}
FORBIDDEN = {
    "type": "about:blank",
    "status": 403,
    "title": "Forbidden",
    "detail": "You do not have enough permissions to access this resource.",
}


class Liar:
    """
    A server of v0.15 whose *floods* answer the paths that they stand for.

    Other paths ask for a login, and then forbid everything but the queue's status.

    Attributes:
        url: Where it listens.
        flooded: How many answers of *floods* have been begun.
        blocks: How many blocks of those have been sent.
    """

    def __init__(self, floods: Mapping[str, Flood]) -> None:
        self.flooded = 0
        self.blocks = 0
        self._floods = floods
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = False
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._start(self._accept)

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self._closing = True
        for open_socket in (self._listener, *list(self._open)):
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
            open_socket.close()
        for thread in self._threads:
            thread.join(10)

    def send_for_ever(self, client: socket.socket, block: bytes) -> None:
        """Send *block* again and again until the client has gone."""
        while not self._closing:
            client.sendall(block)
            self.blocks += 1

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing:
                client, _ = self._listener.accept()
                self._open.add(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        try:
            with client, contextlib.suppress(OSError):
                held = b""
                while True:
                    while b"\r\n\r\n" not in held:
                        piece = client.recv(65536)
                        if not piece:
                            return
                        held += piece
                    head, _, held = held.partition(b"\r\n\r\n")
                    self._answer(client, head.decode("latin-1"))
        finally:
            self._open.discard(client)

    def _answer(self, client: socket.socket, head: str) -> None:
        path = head.split(" ", 2)[1].partition("?")[0]
        if "authorization:" not in head.lower() and path not in self._floods:
            client.sendall(_reply(401, UNAUTHORIZED))
        elif path in self._floods:
            self.flooded += 1
            client.sendall(_switching(head)) if "sec-websocket-key" in head.lower() else None
            self._floods[path](client)
        elif path.endswith("-token"):
            client.sendall(_reply(200, {"data": "token"}))
        elif path == "/api/queue/status":
            client.sendall(_reply(200, {"data": True}))
        else:
            client.sendall(_reply(403, FORBIDDEN))


@contextmanager
def liar(path: str, block: bytes, *, head: bytes = b"") -> Iterator[Liar]:
    """A server that answers *path* with *head* and then *block* for ever."""

    def flood(client: socket.socket) -> None:
        client.sendall(head)
        server.send_for_ever(client, block)

    server = Liar({path: flood})
    try:
        yield server
    finally:
        server.close()


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
BLOCK_BYTES = 128 * 1024


def repeated(unit: bytes) -> bytes:
    """As much of *unit* as one send takes."""
    return unit * max(1, BLOCK_BYTES // len(unit))


def chunk(content: bytes, extension: bytes = b"") -> bytes:
    """One chunk of a body."""
    return b"%x%s\r\n%s\r\n" % (len(content), extension, content)


def frame(opcode: int, content: bytes = b"", *, last: bool = True) -> bytes:
    """A short WebSocket frame as a server sends it."""
    return struct.pack("!BB", (0x80 if last else 0) | opcode, len(content)) + content


def _switching(head: str) -> bytes:
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
    key = next(value for name, value in fields.items() if name.lower() == "sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())  # noqa: S324
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def _reply(status: int, document: object) -> bytes:
    body = json.dumps(document).encode()
    kind = "application/json" if status == 200 else "application/problem+json"
    return f"HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
