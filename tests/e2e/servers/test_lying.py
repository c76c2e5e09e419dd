"""A server that sends without end costs bounded memory, and the other servers and the scrapes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.exporter import Exporter, wait_until
from tests.support.servers.liar import CHUNKED, EVENTS, Liar, chunk, frame, liar, repeated
from tests.support.standin import Scene, after_polls, community, server_table

QUEUE = "/api/queue/messages"
LIVE_TRACES = "/api/telemetry/traces/live"
MAX_MEMORY_KIB = 200 * 1024
GUARD_SECONDS = 120.0
"""A guard against waiting for ever; a loaded machine takes long to send this much."""

FAILURES = "stalwart_exporter_collector_failures_total"


@dataclass(frozen=True)
class Lie:
    """An exporter that watches a good server and a liar."""

    good: Scene
    bad: Liar

    def wait_given_up(self, collector: str, *reasons: str) -> None:
        """Wait until a collector of the liar has failed for one of *reasons*."""
        exporter = self.good.exporter
        wait_until(
            lambda: any(exporter.total(FAILURES, server="bad", collector=collector, reason=one) for one in reasons),
            what=f"{collector} is given up",
            seconds=GUARD_SECONDS,
        )

    def peak_memory_kib(self) -> int:
        """The most memory that the exporter has had so far."""
        status = Path(f"/proc/{self.good.exporter.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def check_others(self) -> None:
        """The good server's collectors go on while the flood does, each scrape is answered, and memory is bounded."""
        after_polls([self.good], "queue", "logs")
        assert self.good.value("stalwart_up") == 1
        assert self.peak_memory_kib() < MAX_MEMORY_KIB


@contextmanager
def lied_to(tmp_path: Path, path: str, block: bytes, *, head: bytes = b"", streams: str = "off") -> Iterator[Lie]:
    """A liar that answers *path* with *head* and then *block* for ever, watched beside a good server."""
    with StandIn(community()) as server, liar(path, block, head=head) as bad:
        config = server_table(server.url, name="good") + server_table(
            bad.url, name="bad", native=False, streams=streams
        )
        with Exporter(tmp_path, config=config) as exporter:
            wait_until(lambda: bad.flooded, what="the flood has begun", seconds=GUARD_SECONDS)
            yield Lie(Scene(server, exporter, "good"), bad)


@pytest.mark.fault("protocol", "an endless chunked response")
def test_an_endless_answer_is_given_up_and_its_memory_returned(tmp_path: Path):
    """The response fails at its size limit with less than 200 MB in use, and other servers are polled as usual."""
    begin = CHUNKED + chunk(b'{"data":{"items":[')
    with lied_to(tmp_path, QUEUE, repeated(chunk(b"0," * 8192)), head=begin) as lie:
        lie.wait_given_up("queue", "payload", "timeout")

        lie.check_others()


@pytest.mark.fault("protocol", "a response body in chunks of one byte")
def test_a_body_in_crumbs_is_given_up(tmp_path: Path):
    """The response fails after a few thousand chunks, and other servers are polled as usual."""
    with lied_to(tmp_path, QUEUE, repeated(chunk(b" ")), head=CHUNKED) as lie:
        lie.wait_given_up("queue", "payload", "timeout")

        lie.check_others()


@pytest.mark.fault("protocol", "an endless head, trailer or series of 1xx responses")
@pytest.mark.parametrize(
    ("head", "block", "reason"),
    [
        (b"", b"HTTP/1.1 103 \r\n\r\n", "payload"),
        (b"HTTP/1.1 200 OK\r\n", b"a:\r\n", "payload"),
        (b"HTTP/1.1 200 OK\r\na: ", b"a", "payload"),
        (CHUNKED + b"0\r\n", b"a:\r\n", "unreachable"),
    ],
    ids=["1xx", "headers", "one-header", "trailer"],
)
def test_a_head_without_end_is_given_up(tmp_path: Path, head: bytes, block: bytes, reason: str):
    """The response fails after 64 KiB, and other servers are polled as usual."""
    with lied_to(tmp_path, QUEUE, repeated(block), head=head) as lie:
        lie.wait_given_up("queue", reason, "timeout")

        lie.check_others()


@pytest.mark.fault("protocol", "endless chunk extensions")
def test_chunk_extensions_without_end_are_given_up(tmp_path: Path):
    """A body that is mostly framing fails, and other servers are polled as usual."""
    with lied_to(tmp_path, QUEUE, repeated(chunk(b" ", b";" + b"x" * 2000)), head=CHUNKED) as lie:
        lie.wait_given_up("queue", "payload", "timeout")

        lie.check_others()


@pytest.mark.fault("streams", "an event stream sends endless comments or empty events")
@pytest.mark.parametrize(
    ("head", "block"),
    [
        (EVENTS, b":\n"),
        (EVENTS, b"data:\n\n"),
        (EVENTS.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n"), chunk(b":") + chunk(b"\n")),
    ],
    ids=["comments", "empty-events", "one-byte-chunks"],
)
def test_a_flooding_event_stream_harms_nobody(tmp_path: Path, head: bytes, block: bytes):
    """Scrapes are answered and other servers are polled during the flood."""
    with lied_to(tmp_path, LIVE_TRACES, repeated(block), head=head, streams="sse") as lie:
        before = lie.bad.blocks
        wait_until(lambda: lie.bad.blocks > before + 10, what="the flood is read", seconds=GUARD_SECONDS)

        lie.check_others()


@pytest.mark.fault("streams", "WebSocket pings from a server that never reads")
def test_pings_from_a_server_that_never_reads_end_the_stream(tmp_path: Path):
    """Unsent pongs are bounded: the stream is closed and opened again."""
    with lied_to(tmp_path, LIVE_TRACES, repeated(frame(9, b"x" * 100)), streams="websocket") as lie:
        lie.wait_given_up("live_traces", "timeout")
        wait_until(lambda: lie.bad.flooded > 1, what="the stream is opened again", seconds=GUARD_SECONDS)

        lie.check_others()


@pytest.mark.fault("streams", "a WebSocket sends endless empty messages or fragments")
@pytest.mark.parametrize(
    ("head", "block"),
    [(b"", frame(1)), (frame(1, last=False), frame(0, last=False))],
    ids=["messages", "fragments"],
)
def test_a_flooding_websocket_harms_nobody(tmp_path: Path, head: bytes, block: bytes):
    """Scrapes are answered and other servers are polled during the flood."""
    with lied_to(tmp_path, LIVE_TRACES, repeated(block), head=head, streams="websocket") as lie:
        before = lie.bad.blocks
        wait_until(lambda: lie.bad.blocks > before + 2, what="the flood is read", seconds=GUARD_SECONDS)

        lie.check_others()
