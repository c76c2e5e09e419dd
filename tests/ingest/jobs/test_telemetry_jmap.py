"""Counters of a server that prints them under wrong names: they come from its stored metrics until it is repaired."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.telemetry import (
    COUNTERS_MARK,
    LIVE,
    NATIVE,
    RANKING,
    SOURCE_MARK,
    STORED,
    StoredJob,
    TotalsCounter,
)
from exporter.model.telemetry import HistogramTotals, ServerTotals, StoredSample
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from tests.support.virtual_time import HandClock

HOUR = 3600
TIMES = "delivery.total-time"


@dataclass
class Server:
    """
    A process that counts one event and one histogram, and stores what was added.

    Attributes:
        lost: What the process had counted and not stored when it ended.
    """

    defective: bool = True
    names_known: bool = True
    count: int = 0
    unstored: int = 0
    now: int = 1_800_000_000
    truth: Counter[str] = field(default_factory=Counter)
    samples: list[StoredSample] = field(default_factory=list)

    def happen(self, times: int) -> None:
        self.count += times
        self.unstored += times
        self.truth["happened"] += times

    def collect(self) -> None:
        self.now += HOUR
        at = datetime.fromtimestamp(self.now, UTC)
        if self.unstored:
            self.samples.append(StoredSample(taken_at=at, kind="counter", id="auth.failed", value=self.unstored))
            self.samples.append(
                StoredSample(taken_at=at, kind="histogram", id=TIMES, value=self.unstored, count=self.unstored)
            )
        self.unstored = 0

    def become(self, *, defective: bool) -> None:
        self.defective = defective
        self.count = self.unstored = 0

    def totals(self) -> ServerTotals:
        withheld = self.defective or not self.names_known
        return ServerTotals(
            counters={} if withheld or not self.count else {"auth.failed": self.count},
            gauges={},
            histograms={TIMES: HistogramTotals(sum=self.count, count=self.count)} if self.count else {},
            counters_withheld="wrong names" if withheld else "",
        )

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        return [sample for sample in self.samples if sample.taken_at >= after]


BEFORE_ALL_SAMPLES = datetime.fromtimestamp(1_799_990_000, UTC)


Step = tuple[Literal["happen", "collect", "repair", "downgrade", "flicker", "live", "page", "cut", "kill"], int]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["happen", "happen", "collect", "repair", "downgrade", "flicker", "live", "page", "cut", "kill"]
        ),
        st.integers(1, 9),
    ),
    max_size=30,
)


class Run:
    """The exporter's part, from start to kill."""

    async def start(self, path: Path) -> None:
        clock = HandClock(BEFORE_ALL_SAMPLES)
        self.store = await Store.open(path, now=clock.now())
        self.board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(self.store, "mx1", self.board.tallies, self.board)
        self.choice = SourceChoice(RANKING, ledger.watermark(SOURCE_MARK) or "", ledger.watermark(COUNTERS_MARK))
        self.counter = TotalsCounter(self.board, ledger, self.choice)
        self.stored = StoredJob(self.board, ledger, self.choice, clock=ServerClock(clock))

    async def read(self, server: Server, source: str) -> None:
        await self.counter.apply(source, server.totals(), fresh_seconds=60)
        await self.stored(server)  # type: ignore[arg-type]

    def counters(self) -> int:
        return sum(self.board.tallies.family("events").values())

    def observed(self) -> int:
        return sum(self.board.tallies.family(f"{TIMES}:bucket").values())


async def play(server: Server, steps: Sequence[Step], path: Path) -> tuple[int, int]:
    """The counter and the histogram's count after *steps*; neither ever falls, nor exceeds what has happened."""
    run = Run()
    await run.start(path)
    try:
        await run.read(server, LIVE)
        for what, times in steps:
            before = run.counters(), run.observed()
            match what:
                case "happen":
                    server.happen(times)
                case "collect":
                    server.collect()
                case "repair" | "downgrade":
                    await run.read(server, LIVE)
                    server.become(defective=what == "downgrade")
                case "flicker":
                    server.names_known = False
                    await run.read(server, LIVE)
                    server.names_known = True
                case "live":
                    await run.read(server, LIVE)
                case "page":
                    await run.read(server, NATIVE)
                case "cut":
                    run.choice.out(LIVE)
                case "kill":
                    await run.store.aclose()
                    await run.start(path)
                    before = run.counters(), run.observed()
            assert (run.counters(), run.observed()) >= before
            assert run.counters() <= server.truth["happened"], what
            assert run.observed() <= server.truth["happened"], what
        return run.counters(), run.observed()
    finally:
        await run.store.aclose()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_upgrades_downgrades_and_doubts_never_make_a_counter_jump(steps: list[Step]):
    """Whatever feeds it, a counter never shows more than has happened, and never falls."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Server(), steps, Path(folder) / "history.sqlite3"))


def counted(*steps: Step, server: Server | None = None) -> tuple[int, int]:
    """The counter and the histogram's count after *steps*."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(play(server or Server(), steps, Path(folder) / "history.sqlite3"))


def test_counters_come_from_storage_and_histograms_from_the_stream():
    """On a defective server each is fed by the best source that tells it."""
    steps: list[Step] = [("page", 1), ("happen", 5), ("collect", 1), ("live", 1), ("happen", 2), ("live", 1)]

    assert counted(*steps) == (5, 7)


def test_a_repaired_server_goes_on_where_the_stored_metrics_ended():
    """What its new process counts is added, what it had counted at the first reading is taken as counted."""
    before: list[Step] = [("page", 1), ("happen", 5), ("collect", 1), ("live", 1)]
    after: list[Step] = [("repair", 1), ("live", 1), ("happen", 3), ("live", 1), ("collect", 1), ("live", 1)]

    assert counted(*before, *after) == (8, 8)


def test_names_that_are_doubted_for_a_moment_cost_nothing():
    """A schema that could not be read once does not make the counters start anew."""
    steps: list[Step] = [("happen", 5), ("live", 1), ("happen", 1), ("flicker", 1), ("happen", 2), ("live", 1)]

    assert counted(*steps, server=Server(defective=False)) == (8, 8)


def test_each_set_of_tallies_has_one_source():
    """A source whose counters are withheld leaves them to a worse one, and takes them back."""
    choice = SourceChoice(RANKING)
    choice.withholds_counters(LIVE)
    assert choice.claim(LIVE).first
    assert not choice.claim_counters(STORED).feeds
    choice.withholds_counters(NATIVE)
    assert choice.claim_counters(STORED).first
    assert not choice.claim(STORED).feeds
    assert (choice.current, choice.counters) == (LIVE, STORED)

    assert choice.claim_counters(LIVE).switched_from == STORED

    assert (choice.current, choice.counters) == (LIVE, LIVE)
    assert not choice.claim_counters(STORED).feeds
