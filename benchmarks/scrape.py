"""
A scrape of 10 000 series, against a Go program that holds the same series and against prometheus_client.

The Go peer is Debian's ``prometheus-pushgateway``: the very bytes that we expose are pushed into it, and both are asked
in turns over loopback by the same client. "Rebuilt" has every value changed before each scrape of ours, and counts the
rebuild with the scrape.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, generate_latest

from benchmarks.rows import Row, show
from exporter.app.status import Status
from exporter.clock import SystemClock
from exporter.collectors.exposition import Exposition, Format
from exporter.collectors.telemetry import TallySource
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.stats import StoreStats
from exporter.web.app import create_app
from exporter.web.serving.server import WebServer
from exporter.web.verdict.thresholds import shipped
from tests.support.ports import reserve_port

SERVERS, EVENTS = 20, 500
ROUNDS = 60


def boards() -> list[ServerBoard]:
    """Servers with 10 000 counters between them."""
    made = []
    for number in range(SERVERS):
        book = TallyBook({("events", (f"family-{n % 20}.event-number-{n}",)): n * 7 + 1 for n in range(EVENTS)})
        made.append(ServerBoard(f"mx{number}.example.org", book, monotonic=time.monotonic))
    return made


def change_all(all_boards: list[ServerBoard]) -> None:
    """Raises every counter by one."""
    for board in all_boards:
        board.tallies.apply({("events", labels): 1 for labels in board.tallies.family("events")})


class Ours:
    """Our exposition behind our web server, in a thread of its own."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.port = 0

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        # The status page is not measured, only needed.
        status = Status(lambda: [], StoreStats(), Path(), SystemClock(), limits=shipped())
        app = create_app(metrics=self._exposition, health=status, status=status, reloader=None, clock=SystemClock())
        server = WebServer(app, listen=[("127.0.0.1", 0)], clock=SystemClock())
        await server.start()
        self.port = server.port
        self._stop = asyncio.Event()
        serving = asyncio.create_task(server.serve_forever())
        self._ready.set()
        await self._stop.wait()
        await server.stop()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

    def __enter__(self) -> Ours:
        self._thread.start()
        self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    def change(self, all_boards: list[ServerBoard]) -> None:
        """Changes every value and rebuilds, in the server's own thread; returns when done."""
        done = threading.Event()

        def rebuild() -> None:
            self._exposition.build()
            done.set()

        change_all(all_boards)
        self._loop.call_soon_threadsafe(rebuild)
        done.wait(10)


@contextlib.contextmanager
def pushgateway(body: bytes) -> Iterator[int]:
    """The Go peer, holding the families of *body*."""
    port = reserve_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            ["prometheus-pushgateway", f"--web.listen-address=127.0.0.1:{port}"],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(port)
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("PUT", "/metrics/job/peer", body=body)
            assert connection.getresponse().status in (200, 202)
            connection.close()
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("the peer does not listen")


class Client:
    """One kept connection that scrapes the plain text format."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def scrape(self) -> bytes:
        """One scrape."""
        self._connection.request("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4"})
        response = self._connection.getresponse()
        assert response.status == 200
        return response.read()


def timed(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def change_and_scrape(ours: Ours, client: Client, all_boards: list[ServerBoard]) -> bytes:
    """A scrape right after every value has changed."""
    ours.change(all_boards)
    return client.scrape()


def run() -> list[Row]:
    """Scrapes in turns."""
    all_boards = boards()
    exposition = Exposition(extra=lambda fmt: b"", monotonic=time.monotonic)
    for board in all_boards:
        exposition.add(TallySource(board), server=board.name)
    exposition.build()
    body = exposition.exposition(Format.TEXT, False)[0]
    registry = CollectorRegistry()
    counter = Counter("stalwart_events", "Events.", ["server", "event"], registry=registry)
    for board in all_boards:
        for (event,), value in board.tallies.family("events").items():
            counter.labels(board.name, event).inc(value)
    with Ours(exposition) as ours, pushgateway(body) as peer_port:
        mine, theirs = Client(ours.port), Client(peer_port)
        assert mine.scrape().count(b"\n") >= SERVERS * EVENTS
        assert theirs.scrape().count(b"\nstalwart_events_total{") >= SERVERS * EVENTS - 1
        unchanged, rebuilt, go, library = [], [], [], []
        for _ in range(ROUNDS):
            unchanged.append(timed(mine.scrape))
            go.append(timed(theirs.scrape))
            rebuilt.append(timed(partial(change_and_scrape, ours, mine, all_boards)))
        for _ in range(5):
            library.append(timed(lambda: generate_latest(registry)))
    go_ms = statistics.median(go)
    return [
        _row("scrape of 10 000 series, unchanged", statistics.median(unchanged), go_ms, "Go exporter", 0.1),
        _row("scrape of 10 000 series, every value changed", statistics.median(rebuilt), go_ms, "Go exporter", 0.75),
        _row(
            "the same against prometheus_client",
            statistics.median(rebuilt),
            statistics.median(library),
            "generate_latest alone",
            None,
        ),
    ]


def _row(name: str, ours: float, peer: float, peer_name: str, limit: float | None) -> Row:
    return Row(name=name, ours=ours, peer=peer, unit="ms", peer_name=peer_name, limit=limit)


if __name__ == "__main__":
    raise SystemExit(0 if show(run()) else 1)
