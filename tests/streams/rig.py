"""The part of the exporter that counts deliveries, in a process and with a clock of the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from exporter.errors import TargetUnreachable
from exporter.ingest.deliveries import OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.ledger import Ledger
from exporter.ingest.live_traces import LiveTraces
from exporter.ingest.reconcile import Reconciler
from exporter.ingest.traces import TraceJob
from exporter.model.delivery import Trace
from exporter.model.live import Heartbeat, LiveEvents
from exporter.stalwart.rest.live import read_traces
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from tests.streams.hour import START, Hour

POLL_SECONDS = 60
SETTLE_SECONDS = 240
"""After the last attempt, for what waits for its trace."""

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


class HandClock:
    """A clock that is moved by hand; ours is *ahead_seconds* ahead of the server's."""

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self.server_now = float(START)
        self._ahead_seconds = ahead_seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.server_now + self._ahead_seconds, UTC)

    def monotonic(self) -> float:
        return self.server_now - START

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here waits")


class StoredSide:
    """A server's stored traces, listed *listed_after* seconds after they were stored."""

    def __init__(self, hour: Hour, clock: HandClock, *, listed_after: int = 0) -> None:
        self._hour = hour
        self._clock = clock
        self._listed_after = listed_after
        self.asked = self.fetched = 0
        self.is_down = False

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        self.asked += 1
        if self.is_down:
            raise TargetUnreachable("no connection")
        return self._hour.visible(after.timestamp(), self._clock.server_now - self._listed_after)

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        self.fetched += len(ids)
        return self._hour.read(ids)


class LiveSide:
    """A live stream and its decoder, as one run of the exporter has them."""

    def opened(self) -> None:
        """The stream is opened, perhaps not for the first time."""

    def message(self, hour: Hour, second: int) -> bytes:
        """What comes of one second; empty if nothing happened in it."""
        return hour.message(second)

    def read_traces(self, message: bytes) -> LiveEvents | Heartbeat:
        return read_traces(message)


class Counting:
    """One run of the exporter, from its start to its death."""

    def __init__(self, store: Store, board: ServerBoard, feed: LiveTraces, job: TraceJob) -> None:
        self.store = store
        self.board = board
        self.feed = feed
        self.job = job

    @classmethod
    async def start(cls, path: Path, clock: HandClock) -> Counting:
        store = await Store.open(path, now=clock.now())
        book = TallyBook()
        board = ServerBoard("mx1", book, monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", book, board)
        owners = DeliveryOwners(clock, ledger.watermark(OWNERS_MARK))
        deliveries = DeliveryCounter(board, owners, clock, max_domains=25)
        reconciler = await Reconciler.load(ledger, clock=clock)
        feed = LiveTraces(board, ledger, owners, deliveries, reconciler, clock=clock)
        job = TraceJob(ledger, owners, deliveries, clock=clock, reconciler=reconciler)
        return cls(store, board, feed, job)

    def shown(self, family: str) -> dict[tuple[str, ...], int]:
        """A family's tallies that are not zero."""
        return {labels: n for labels, n in self.board.tallies.family(family).items() if n}


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
        side: Callable[[], LiveSide] = LiveSide,
    ) -> None:
        self._new_side = side
        self._side = side()
        self._polled_first = polled_first
        self._hour = hour
        self._path = path
        self._clock = HandClock(ahead_seconds)
        self._stored = StoredSide(hour, self._clock, listed_after=listed_after)
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
            for second in range(START, self._hour.end + SETTLE_SECONDS):
                self._clock.server_now = second + 0.999
                await self._second(second)
            return self._run.shown("deliveries"), self._run.shown("domain_deliveries"), self._stored
        finally:
            if self._run is not None:
                await self._run.store.aclose()

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
                await run.feed.apply(client, held, 0)  # type: ignore[arg-type]
                await run.feed.lost()
            return
        if not self._up:
            # What happens while it connects comes with no message.
            self._up = True
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
            await run.feed.apply(client, held[:-1], 1)  # type: ignore[arg-type]
        elif held or second % 30 == 0:
            await run.feed.apply(client, held or [b'{"interval":30000}'], 0)  # type: ignore[arg-type]

    async def _poll(self) -> None:
        if self._run is not None:
            await self._run.job(self._stored)  # type: ignore[arg-type]
