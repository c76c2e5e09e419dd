"""A server that has received reports: real HTTP on the loopback, in a thread of its own, and quick."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from tests.support.reports.wire import listing

NOT_FOUND = b'{"type":"about:blank","status":404,"title":"Not Found","detail":"The requested resource does not exist."}'

Answer = tuple[int, str, bytes]


@dataclass
class ReportServer:
    """
    What it holds and what it was asked.

    Attributes:
        lists: Ids by kind, newest first.
        bodies: The answer to each id, by kind and id; one without a body is not found.
        odd: Answers that take the place of the ordinary ones, by path without query.
        asked: Paths with queries, in order.
        before: Called with each path before it is answered.
    """

    lists: dict[str, list[str]] = field(default_factory=lambda: {"dmarc": [], "tls": [], "arf": []})
    bodies: dict[tuple[str, str], bytes] = field(default_factory=dict)
    odd: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: Callable[[str], None] | None = None

    def add(self, kind: str, id_: str, body: bytes) -> None:
        """One more report, the newest."""
        self.lists[kind].insert(0, id_)
        self.bodies[kind, id_] = body

    def asked_for(self, part: str) -> list[str]:
        """The requests whose path contains *part*."""
        return [path for path in self.asked if part in path]

    def answer(self, target: str) -> Answer:
        """Status, content type and body."""
        self.asked.append(target)
        url = urlsplit(target)
        if self.before is not None:
            self.before(url.path)
        if url.path in self.odd:
            return self.odd[url.path]
        parts = url.path.split("/")[3:]
        if len(parts) == 1 and parts[0] in self.lists:
            query = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
            page, limit = query.get("page", 1), query.get("limit", 0)
            return 200, "application/json; charset=utf-8", listing(self.lists[parts[0]], page=page, limit=limit)
        if len(parts) == 2 and (parts[0], parts[1]) in self.bodies:
            return 200, "application/json; charset=utf-8", self.bodies[parts[0], parts[1]]
        return 404, "application/problem+json", NOT_FOUND


@contextmanager
def serving(server: ReportServer) -> Iterator[str]:
    """Serves *server*; its URL."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()
    ports: list[int] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                status, kind, content = server.answer(head.split(b" ", 2)[1].decode())
                line = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
                writer.write(f"{line}content-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n".encode() + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def run() -> None:
        listener = await asyncio.start_server(converse, "127.0.0.1", 0, limit=1 << 20)
        ports.append(listener.sockets[0].getsockname()[1])
        ready.set()
        await stop.wait()
        listener.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
