"""Counters that are fed by the live stream, by the server's page, and by both in turns."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.clock import SystemClock
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.jobs.telemetry import LIVE, NATIVE, RANKING, SOURCE_MARK, TotalsCounter
from exporter.model.telemetry import ServerTotals
from exporter.simulator.common.live_hub import metrics_to_json
from exporter.simulator.common.prometheus import render
from exporter.simulator.world.telemetry.counters import COUNTER_MODULUS, ProcessCounters
from exporter.simulator.world.values import Duration
from exporter.stalwart.common.native_page import parse_native_page
from exporter.stalwart.rest.live.messages import parse_metrics
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store

EVENTS = ("auth.failed", "delivery.completed", "delivery.dsn-success")
NEAR_WRAP = COUNTER_MODULUS - 5


@dataclass
class Server:
    """A process that counts, and the truth that survives it."""

    process: ProcessCounters = field(default_factory=ProcessCounters)
    truth: Counter[str] = field(default_factory=Counter)
    observed: int = 0

    def happen(self, event: str, times: int) -> None:
        for _ in range(times):
            self.process.apply(event, {"elapsed": Duration(3000)})
            self.truth[event] += 1
            self.observed += event == "delivery.completed"

    def restart(self) -> None:
        self.process = ProcessCounters()

    def live(self) -> ServerTotals:
        totals = parse_metrics(json.dumps(metrics_to_json(self.process)).encode())
        assert isinstance(totals, ServerTotals)
        return totals

    def page(self) -> ServerTotals:
        return parse_native_page(render(self.process, enterprise=True, correct=False).encode())


Step = tuple[Literal["happen", "restart", "live", "page", "cut", "kill", "overtaken"], str, int]

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["happen", "happen", "live", "live", "page", "page", "cut", "kill", "overtaken", "restart"]),
        st.sampled_from(EVENTS),
        st.integers(1, 12),
    ),
    max_size=40,
)


async def play(server: Server, steps: list[Step], path: Path) -> tuple[dict[str, int], int]:
    """What is shown of the events and of one histogram's count after *steps*."""
    clock = SystemClock()

    async def start() -> tuple[Store, ServerBoard, SourceChoice, TotalsCounter]:
        store = await Store.open(path, now=clock.now())
        board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        ledger = await Ledger.load(store, "mx1", board.tallies, board)
        choice = SourceChoice(RANKING, ledger.watermark(SOURCE_MARK) or "")
        return store, board, choice, TotalsCounter(board, ledger, choice)

    store, board, choice, counter = await start()
    try:
        # First contact adopts what there is.
        await counter.apply(LIVE, server.live(), fresh_seconds=60)
        for what, event, times in steps:
            before = sum(board.tallies.family("events").values())
            match what:
                case "happen":
                    server.happen(event, times)
                case "restart":
                    # What a process counted after its last reading dies with it.
                    for source, totals in ((LIVE, server.live()), (NATIVE, server.page())):
                        await counter.apply(source, totals, fresh_seconds=60)
                    await counter.apply(choice.current, _of(server, choice.current), fresh_seconds=60)
                    server.restart()
                    # A restart shows in a total that fell: at least one has to be below its old value.
                    await counter.apply(choice.current, _of(server, choice.current), fresh_seconds=60)
                    await counter.apply(choice.current, _of(server, choice.current), fresh_seconds=60)
                case "live":
                    await counter.apply(LIVE, server.live(), fresh_seconds=60)
                case "page":
                    await counter.apply(NATIVE, server.page(), fresh_seconds=60)
                case "cut":
                    choice.out(LIVE)
                case "overtaken":
                    # A reading of the one source is on its way while the other is counted, which then ends.
                    stale = server.page() if choice.current == LIVE else server.live()
                    server.happen(event, times)
                    await counter.apply(choice.current, _of(server, choice.current), fresh_seconds=60)
                    other = NATIVE if choice.current == LIVE else LIVE
                    choice.out(choice.current)
                    await counter.apply(other, stale, fresh_seconds=60)
                case "kill":
                    await store.aclose()
                    store, board, choice, counter = await start()
                    before = sum(board.tallies.family("events").values())
            assert sum(board.tallies.family("events").values()) >= before
        for _ in range(2):
            await counter.apply(choice.current, _of(server, choice.current), fresh_seconds=60)
        shown = {labels[0]: n for labels, n in board.tallies.family("events").items() if n}
        return shown, sum(board.tallies.family("delivery.total-time:bucket").values())
    finally:
        await store.aclose()


def _of(server: Server, source: str) -> ServerTotals:
    return server.live() if source == LIVE else server.page()


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.sampled_from([0, NEAR_WRAP]))
def test_a_switch_between_the_stream_and_the_page_never_jumps_or_falls(steps: list[Step], already: int):
    """Through cuts, kills, restarts, wraps and readings that overtake each other, the tallies are the truth."""
    server = Server()
    server.happen("auth.failed", 1)
    server.happen("delivery.completed", 1)
    if already:
        server.process.counters["delivery.dsn-success"] = already
        server.truth["delivery.dsn-success"] = already

    with tempfile.TemporaryDirectory() as folder:
        shown, observed = asyncio.run(play(server, steps, Path(folder) / "history.sqlite3"))

    assert shown == {event: count for event, count in server.truth.items() if count}
    assert observed == server.observed
