"""The part of the exporter that counts deliveries, in a process and with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Literal

from exporter.errors import TargetUnreachable
from exporter.ingest.counting.deliveries import OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.reconciliation import Reconciler
from exporter.ingest.counting.trail.recorder import TrailPolicy
from exporter.ingest.jobs.live_traces import LiveTraces
from exporter.ingest.jobs.traces import TraceJob
from exporter.model.delivery import Trace
from exporter.model.live import LiveBatch, StreamKind
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.rest.live.client import stream_decoder
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from exporter.store.trail.masking import Addresses, AddressMask, load_secret
from tests.support.virtual_time import HandClock
from tests.support.worlds.hour import START, Hour

POLL_SECONDS = 60
SETTLE_SECONDS = 240
"""After the last attempt and the last time without the exporter, for what waits for its trace."""

Kind = Literal["cut", "kill", "dropped", "late"]


@dataclass(frozen=True, order=True)
class Trouble:
    """
    What goes wrong, from a second of the hour on and for so many seconds.

    ``cut``: the stream is gone. ``kill``: so is the exporter. ``dropped``: messages are not read. ``late``: they are
    read only at the end of it.
    """

    begins: int
    seconds: int
    kind: Kind


class TwoClocks(HandClock):
    """
    The exporter's clock, *ahead_seconds* ahead of the server's at the beginning, and the server's.

    Attributes:
        server_set: By how many seconds the server's clock has been set.
    """

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        super().__init__(datetime.fromtimestamp(START, UTC))
        self.set_seconds = ahead_seconds
        self.server_set = 0

    @property
    def passed(self) -> float:
        """Unix seconds as they pass, whatever clocks are set to."""
        return START + self.seconds

    @property
    def server_now(self) -> float:
        """The server's time, in Unix seconds."""
        return self.passed + self.server_set

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


class StoredSide:
    """
    A server's stored traces, listed *listed_after* seconds after they were stored.

    A bound in the server's future is ignored where it *drops_bounds*, and else excludes everything.
    """

    def __init__(
        self, hour: Hour, clock: TwoClocks, *, listed_after: int = 0, drops_bounds: bool = True, sends_date: bool = True
    ) -> None:
        self._drops_bounds = drops_bounds
        self._sends_date = sends_date
        self._hour = hour
        self._clock = clock
        self._listed_after = listed_after
        self.asked = self.fetched = 0
        self.is_down = False

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        self.asked += 1
        if self.is_down:
            raise TargetUnreachable("no connection")
        bound = after.timestamp()
        if self._drops_bounds and bound > self._clock.server_now:
            bound = 0
        return self._hour.visible(bound, self._clock.passed - self._listed_after)

    def answer(self, learning: ServerClock) -> None:
        """Any response shows the server's clock."""
        if self._sends_date:
            date = formatdate(int(self._clock.server_now), usegmt=True)
            learning.learn_date(date, asked_at=self._clock.monotonic())

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        self.fetched += len(ids)
        return self._hour.read(ids)


class _Answering:
    """The stored side as one run asks it: each response shows the server's clock before it is read."""

    def __init__(self, stored: StoredSide, learning: ServerClock) -> None:
        self._stored = stored
        self._learning = learning

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        self._stored.answer(self._learning)
        return await self._stored.fetch_trace_ids(after=after)

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        self._stored.answer(self._learning)
        return await self._stored.fetch_traces(ids)


class LiveSide:
    """A live stream and its decoder, as one run of the exporter has them."""

    def __init__(self) -> None:
        self.opened()

    def opened(self) -> None:
        """The stream is opened, perhaps not for the first time."""
        self._decoder = stream_decoder(StreamKind.TRACES)

    def message(self, hour: Hour, second: int) -> bytes:
        """What comes of one second; empty if nothing happened in it."""
        return hour.message(second)

    def batch(self, messages: Sequence[bytes], dropped: int = 0) -> LiveBatch:
        """*messages* as they leave the stream."""
        return LiveBatch(map(self._decoder.decode, messages), dropped)


class Counting:
    """One run of the exporter, from its start to its death."""

    def __init__(
        self, store: Store, board: ServerBoard, feed: LiveTraces, job: TraceJob, server_clock: ServerClock
    ) -> None:
        self.store = store
        self.board = board
        self.feed = feed
        self.job = job
        self.server_clock = server_clock

    @classmethod
    async def start(cls, path: Path, ours: TwoClocks) -> Counting:
        clock = ServerClock(ours)
        store = await Store.open(path, now=ours.now())
        book = TallyBook()
        board = ServerBoard("mx1", book, monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", book, board)
        owners = DeliveryOwners(clock, ledger.watermark(OWNERS_MARK))
        policy = TrailPolicy(AddressMask(Addresses.HASHED, await load_secret(store)))
        deliveries = DeliveryCounter(board, owners, clock, max_domains=25, trail=policy)
        reconciler = await Reconciler.load(ledger, clock=clock)
        feed = LiveTraces(board, ledger, owners, deliveries, reconciler, clock=clock)
        job = TraceJob(ledger, owners, deliveries, clock=clock, reconciler=reconciler)
        return cls(store, board, feed, job, clock)

    def shown(self, family: str) -> dict[tuple[str, ...], int]:
        """A family's tallies that are not zero."""
        return {labels: n for labels, n in self.board.tallies.family(family).items() if n}

    async def kept(self) -> dict[tuple[str, ...], int]:
        """The outcomes in the trail, by the labels of the family of deliveries."""
        rows = await self.store.read("SELECT outcome, reason, code, count(*) FROM trail_outcome GROUP BY 1, 2, 3")
        return {(outcome, reason, code): count for outcome, reason, code, count in rows}


class Play:
    """An hour as the exporter lives through it."""

    def __init__(
        self,
        hour: Hour,
        path: Path,
        troubles: Sequence[Trouble] = (),
        *,
        live: bool = True,
        ahead_seconds: float = 0.0,
        listed_after: int = 0,
        polled_first: bool = True,
        ours_set: Sequence[tuple[int, int]] = (),
        drops_bounds: bool = True,
        sends_date: bool = True,
        side: Callable[[], LiveSide] = LiveSide,
    ) -> None:
        self._ours_set = ours_set
        self._new_side = side
        self._side = side()
        self._polled_first = polled_first
        self._hour = hour
        self._path = path
        self._ahead_seconds = ahead_seconds
        self._clock = TwoClocks(ahead_seconds)
        self._stored = StoredSide(
            hour, self._clock, listed_after=listed_after, drops_bounds=drops_bounds, sends_date=sends_date
        )
        self._troubles = sorted(troubles)
        self._live = live
        self._held: list[bytes] = []
        self._up = False
        self._run: Counting | None = None

    def result(self) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int], StoredSide]:
        """Deliveries, deliveries by domain, and what the stored side was asked."""
        return asyncio.run(self._play())

    async def _play(self) -> tuple[dict[tuple[str, ...], int], dict[tuple[str, ...], int], StoredSide]:
        self._run = await Counting.start(self._path, self._clock)
        try:
            if self._polled_first:
                await self._poll()
            for second in range(START, self._end + SETTLE_SECONDS):
                self._set_clocks(second)
                await self._second(second)
            assert await self._run.kept() == self._run.shown("deliveries")
            return self._run.shown("deliveries"), self._run.shown("domain_deliveries"), self._stored
        finally:
            if self._run is not None:
                await self._run.store.aclose()

    def _set_clocks(self, second: int) -> None:
        self._clock.seconds = second + 0.999 - START
        self._clock.server_set = sum(by for at, by in self._hour.steps if START + at <= second)
        self._clock.set_seconds = self._ahead_seconds + sum(by for at, by in self._ours_set if START + at <= second)

    @property
    def _end(self) -> int:
        """When the last attempt has ended and the exporter is up for good, in Unix seconds."""
        kills = (t.begins + t.seconds for t in self._troubles if t.kind == "kill")
        return max(self._hour.end, START + max(kills, default=0))

    async def _second(self, second: int) -> None:
        kinds = {t.kind for t in self._troubles if t.begins <= second - START < t.begins + t.seconds}
        if "kill" in kinds:
            if self._run is not None:
                # What is in memory is gone; the file is as the last transaction left it.
                await self._run.store.aclose()
                self._run, self._up, self._held = None, False, []
                self._side = self._new_side()
            return
        if self._run is None:
            self._run = await Counting.start(self._path, self._clock)
        if self._live:
            await self._live_second(self._run, second, kinds)
        if (second - START) % POLL_SECONDS == POLL_SECONDS - 1:
            await self._poll()

    async def _live_second(self, run: Counting, second: int, kinds: set[Kind]) -> None:
        client = self._side
        if "cut" in kinds:
            if self._up:
                self._up = False
                held, self._held = self._held, []
                await run.feed.apply(client.batch(held))
                await run.feed.lost()
            return
        if not self._up:
            # What happens while it connects comes with no message.
            self._up = True
            self._stored.answer(run.server_clock)
            client.opened()
            await run.feed.connected()
            return
        message = client.message(self._hour, second)
        if message:
            self._held.append(message)
        if "late" in kinds:
            return
        held, self._held = self._held, []
        if "dropped" in kinds and held:
            await run.feed.apply(client.batch(held[:-1], 1))
        elif held or second % 30 == 0:
            await run.feed.apply(client.batch(held or [b'{"interval":30000}']))

    async def _poll(self) -> None:
        if self._run is not None:
            client = _Answering(self._stored, self._run.server_clock)
            await self._run.job(client)  # type: ignore[arg-type]
