"""
The live stream of traces: from the frames on the wire to tallies on disk.

The peer is msgspec decoding the JSON in the same frames and no more. The frames are those of a stand-in server that
keeps a trace history and logs at level info, as they come a second at a time: inbound sessions, the deliveries they
lead to, and two or three times as many people who log in; about one event in six bears on a delivery. A second row,
which only informs, has nothing but deliveries in it.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import msgspec

from benchmarks.rows import Row
from benchmarks.traffic.streams import SECONDS, Told, life
from exporter.clock import SystemClock
from exporter.ingest.counting.deliveries import DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import Reconciler
from exporter.ingest.jobs.live_traces import LiveTraces
from exporter.model.live import LiveBatch, StreamKind
from exporter.model.server import Generation
from exporter.simulator import Profile, StandIn
from exporter.stalwart.http.credentials import Basic
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.http.throttle import Throttle
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.live.client import RestLiveClient, stream_decoder
from exporter.stalwart.streams.buffer import BATCH_BYTES, MAX_BYTES, MessageBuffer
from exporter.stalwart.streams.opening import StreamOpener
from exporter.stalwart.streams.sse import SseDecoder
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store

LEAST_SHARE = 0.6
"""Of the peer's events in a second, so many are ours at least."""

ROUNDS = 7
MILLION = 1_000_000
STOPPED_SECONDS = 60
PIECE_BYTES = 64 * 1024
MESSAGE_EVENTS = 10_000


class HandClock(SystemClock):
    """A clock that is moved along with what the server told."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at


def run() -> list[Row]:
    """Times an event, and weighs what is kept."""
    told, deliveries = life(), life(sessions=False)
    gc.collect()
    gc.freeze()  # What the stand-in leaves behind is nobody's to look through.
    return [
        throughput(told, "live event to tally", limit=1 / LEAST_SHARE),
        throughput(deliveries, "the same, of deliveries alone", limit=None),
        apart(flat),
        apart(stopped),
        switching(),
    ]


def apart(weigh: Callable[[], Row]) -> Row:
    """A row from a process of its own, whose memory is not that of what ran before."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(weigh).result()


async def counting(path: Path, work: Callable[[LiveTraces, HandClock], Awaitable[None]]) -> None:
    """Runs *work* with a feed that writes to a history file."""
    clock = HandClock()
    store = await Store.open(path, now=clock.now())
    try:
        board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", board.tallies, board)
        server_clock = ServerClock(clock)
        owners = DeliveryOwners(server_clock)
        deliveries = DeliveryCounter(board, owners, clock, max_domains=25)
        reconciler = await Reconciler.load(ledger, clock=server_clock)
        reconciler.coverage.no_store()
        feed = LiveTraces(board, ledger, owners, deliveries, reconciler, clock=server_clock)
        await feed.connected()
        await work(feed, clock)
    finally:
        await store.aclose()


async def follow(feed: LiveTraces, clock: HandClock, told: Sequence[Told], frames: Sequence[bytes]) -> None:
    """
    Counts *frames*, which are those of *told*.

    They come in pieces as the network brings them, faster than they are counted: the buffer fills, and what it gives at
    a time is counted in one transaction.
    """
    sse, decoder = SseDecoder(), stream_decoder(StreamKind.TRACES)
    buffer, waiting = MessageBuffer(decoder.count_events), 0
    for number, (one, frame) in enumerate(zip(told, frames, strict=True), 1):
        for at in range(0, len(frame), PIECE_BYTES):
            for event in sse.feed(frame[at : at + PIECE_BYTES]):
                buffer.put(event.data)
                waiting += len(event.data)
        while waiting >= BATCH_BYTES or (number == len(told) and waiting):
            clock.at = float(one.second)
            messages, dropped = await buffer.take()
            waiting -= sum(map(len, messages))
            await feed.apply(LiveBatch(map(decoder.decode, messages), dropped))


async def keep_up(feed: LiveTraces, clock: HandClock, told: Sequence[Told]) -> None:
    """Counts each message of *told* when it comes."""
    decoder = stream_decoder(StreamKind.TRACES)
    for one in told:
        clock.at = float(one.second)
        await feed.apply(LiveBatch([decoder.decode(one.body)]))


def throughput(told: list[Told], name: str, *, limit: float | None) -> Row:
    """
    An event from its frame to its tally on disk, messages taken as they pile up when there are many.

    Measured in processor time, SQLite's thread included, so that a busy machine counts the same for both.
    """
    events = sum(one.events for one in told)
    ours = peer = float("inf")
    for number in range(ROUNDS):
        later = [one.later(number * SECONDS) for one in told]
        # Whoever comes second finds the messages in the processor's cache: both come second once.
        peer = min(peer, bare_seconds(later))
        ours = min(ours, counting_seconds(later))
        peer = min(peer, bare_seconds(later))
        ours = min(ours, counting_seconds(later))
    return Row(
        name=f"{name} ({events / ours:,.0f} a second of a core, {peer / ours:.2f} of the peer's)",
        ours=ours / events * 1e6,
        peer=peer / events * 1e6,
        unit="us",
        peer_name="bare msgspec decode",
        limit=limit,
    )


def bare_seconds(told: list[Told]) -> float:
    """Processor time of the peer."""
    bare = msgspec.json.Decoder()
    started = time.process_time()
    for one in told:
        bare.decode(one.body)
    return time.process_time() - started


def counting_seconds(told: list[Told]) -> float:
    """Processor time of ours, on a history file of its own."""
    took = 0.0
    frames = [one.frame for one in told]

    async def timed(feed: LiveTraces, clock: HandClock) -> None:
        nonlocal took
        started = time.process_time()
        await follow(feed, clock, told, frames)
        took = time.process_time() - started

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(counting(Path(folder) / "history.sqlite3", timed))
    return took


def flat() -> Row:
    """Memory after a million events, against that after a quarter of them."""
    told = life()
    events = sum(one.events for one in told)
    rounds = -(-MILLION // events)
    weights: list[float] = []
    with tempfile.TemporaryDirectory() as folder:

        async def work(feed: LiveTraces, clock: HandClock) -> None:
            for number in range(rounds):
                await keep_up(feed, clock, [one.later(number * SECONDS) for one in told])
                if number in (rounds // 4, rounds - 1):
                    weights.append(rss())

        asyncio.run(counting(Path(folder) / "history.sqlite3", work))
    return Row(
        name=f"memory after {rounds * events:,} live events",
        ours=weights[1],
        peer=weights[0],
        unit="MiB",
        peer_name="after a quarter of them",
        limit=1.05,
    )


def stopped() -> Row:
    """What a consumer that is stopped for a minute costs while ten thousand events a second go on coming."""
    event = b'{"createdAt":"2026-01-15T10:30:05Z","type":"imap.noop","data":{"accountName":"alice","elapsed":12}}'
    frame = b"event: trace\ndata: [" + b",".join([event] * MESSAGE_EVENTS) + b"]\n\n"
    sse, buffer = SseDecoder(), MessageBuffer(stream_decoder(StreamKind.TRACES).count_events)
    before = most = rss()
    for _ in range(STOPPED_SECONDS):
        for message in sse.feed(frame):
            buffer.put(message.data)
        most = max(most, rss())
    grown = most - before
    return Row(
        name=f"memory while {STOPPED_SECONDS * MESSAGE_EVENTS:,} events are not read",
        ours=grown,
        peer=(MAX_BYTES + 2 * len(frame)) / 2**20,
        unit="MiB",
        peer_name="the buffer's bound, and the frame under way",
        limit=1.5,
    )


def switching() -> Row:
    """From the handshake that is answered with an endless event stream to that stream, token included."""

    async def measure(url: str) -> float:
        clock = SystemClock()
        throttle = Throttle(clock=clock, requests=1000)
        login = Basic("watcher", "lab-watcher-secret")
        transport = Transport(base_url=url, credentials=login, clock=clock, throttle=throttle)
        opener = StreamOpener(base_url=url, mode="auto", throttle=throttle, clock=clock)
        client = RestLiveClient(transport, opener, generation=lambda: Generation.REST)
        started = time.perf_counter()
        stream = await client.open(StreamKind.TRACES)
        took = time.perf_counter() - started
        assert stream.transport == "sse"
        await stream.aclose()
        await client.aclose()
        await transport.aclose()
        return took

    with StandIn(Profile(edition="enterprise")) as server:
        took = asyncio.run(measure(server.url))
    return Row(
        name="auto, until a server without WebSocket streams events",
        ours=took,
        peer=1.0,
        unit="s",
        peer_name="stated limit",
        limit=1.0,
    )


def rss() -> float:
    """What this process holds, in MiB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    from benchmarks.rows import show

    show(run())
