"""Histograms that a server stores as running totals, while clocks are set and processes end: each observation once."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.sources import SourceChoice
from exporter.ingest.counting.stored_samples import STORED_MARK
from exporter.ingest.jobs.telemetry import COUNTERS_MARK, RANKING, SOURCE_MARK, StoredJob
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.jmap.client import JmapClient
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from tests.stalwart.jmap.test_stored import Rows
from tests.support.builders.stored_totals import METRICS
from tests.support.replays.jmap_client import transport_to
from tests.support.replays.jmap_http import serving
from tests.support.rigs.counting import TwoClocks

DAY_SECONDS = 86_400
POLL_SECONDS = 300
NODES = (1, 2)


class Cluster:
    """Nodes that observe, and write their totals at each collection."""

    def __init__(self) -> None:
        self.clock = TwoClocks()
        self.rows = Rows()
        self.server = self.rows.server()
        self.observed: Counter[str] = Counter()
        self._totals: Counter[tuple[int, str]] = Counter()

    def collect(self, times: int) -> None:
        """Each node observes *times* of each metric and more, and writes the totals."""
        self.clock.seconds += POLL_SECONDS
        at = datetime.fromtimestamp(int(self.clock.server_now), UTC)
        for node in NODES:
            for number, metric in enumerate(METRICS):
                grown = times + node + number
                self.observed[metric] += grown
                self._totals[node, metric] += grown
                count = self._totals[node, metric]
                self.rows.add(at, "Histogram", metric, count, 10 * count, node=node)

    def restart(self) -> None:
        """The processes end and start again."""
        self._totals.clear()


class Watching:
    """An exporter of the cluster's stored metrics, from start to kill."""

    def __init__(self, cluster: Cluster, url: str, path: Path) -> None:
        self._cluster, self._url, self._path = cluster, url, path

    async def start(self) -> None:
        clock = self._cluster.clock
        self.store = await Store.open(self._path, now=clock.now())
        self.board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
        self.ledger = await Ledger.load(self.store, "mx1", self.board.tallies, self.board)
        choice = SourceChoice(RANKING, self.ledger.watermark(SOURCE_MARK) or "", self.ledger.watermark(COUNTERS_MARK))
        choice.out("live")
        choice.out("native")
        self.server_clock = ServerClock(clock)
        self.job = StoredJob(self.board, self.ledger, choice, clock=self.server_clock)
        self.client = JmapClient(transport_to(self._url), clock=self.server_clock)
        await self.client.identify()

    async def kill(self) -> None:
        """What is not in the file is gone."""
        await self.client.aclose()
        await self.store.aclose()

    async def poll(self) -> None:
        clock = self._cluster.clock
        self.server_clock.learn_date(formatdate(int(clock.server_now), usegmt=True), asked_at=clock.monotonic())
        await self.job(self.client)

    def shown(self) -> Counter[str]:
        """Counted observations by metric."""
        return Counter({metric: sum(self.board.tallies.family(f"{metric}:bucket").values()) for metric in METRICS})

    def shown_sums(self) -> Counter[str]:
        """Counted sums by metric."""
        return Counter({metric: sum(self.board.tallies.family(f"{metric}:sum").values()) for metric in METRICS})


Step = tuple[str, int]


async def play(cluster: Cluster, url: str, path: Path, steps: Sequence[Step]) -> tuple[Counter[str], Counter[str]]:
    """What is shown after *steps*, and what was observed since the first poll; never more is shown."""
    exporter = Watching(cluster, url, path)
    await exporter.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(exporter.kill)
        cluster.collect(1)
        await exporter.poll()
        cluster.observed.clear()
        for what, by in steps:
            match what:
                case "collect":
                    cluster.collect(by)
                    await exporter.poll()
                case "unseen":
                    cluster.collect(by)
                case "set":
                    cluster.clock.server_set += by
                case "restart":
                    cluster.restart()
                case "kill":
                    await exporter.kill()
                    await exporter.start()
                case "outage":
                    await exporter.client.identify()
                case "downgraded":
                    await exporter.ledger.record({}, {STORED_MARK: without_totals(exporter.ledger)})
            assert all(exporter.shown()[metric] <= cluster.observed[metric] for metric in METRICS), (what, by)
        assert exporter.shown_sums() == Counter({metric: 10 * n for metric, n in exporter.shown().items()})
        return exporter.shown(), cluster.observed


def without_totals(ledger: Ledger) -> dict[str, Any]:
    """The watermark as releases without running totals wrote it, which identified them by what they had added."""
    state = dict(ledger.watermark(STORED_MARK) or {})
    del state["totals"]
    return state | {"counted": [[at, mark ^ 1, n] for at, mark, n in state["counted"]]}


def played(*steps: Step) -> tuple[Counter[str], Counter[str]]:
    """What is shown after *steps*, and what was observed."""
    cluster = Cluster()
    with tempfile.TemporaryDirectory() as folder, serving(cluster.server) as url:
        return asyncio.run(play(cluster, url, Path(folder) / "history.sqlite3", steps))


@pytest.mark.parametrize("broken", ["kill", "outage"])
@pytest.mark.parametrize("by", [DAY_SECONDS, -DAY_SECONDS])
@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 0), (1, 2)])
def test_a_clock_is_set_and_set_again_with_a_restart_of_ours_between(by: int, broken: str, before: int, after: int):
    """What follows the second change is compared with what was written last, not with what has the time before it."""
    collects: list[Step] = [("collect", 4)] * 3

    shown, observed = played(
        *collects, ("set", by), *collects[:before], (broken, 0), *collects[:after], ("set", -by), *collects
    )

    assert shown == observed


@pytest.mark.parametrize("by", [DAY_SECONDS, -DAY_SECONDS])
def test_both_changes_come_while_the_exporter_is_down(by: int):
    """Totals written under three clocks are found at once and counted once."""
    shown, observed = played(
        ("collect", 4), ("kill", 0), ("unseen", 3), ("set", by), ("unseen", 3), ("set", -by), ("collect", 5)
    )

    assert shown == observed


def test_a_server_that_is_stopped_to_set_its_clock_back_is_counted_from_zero():
    """Its totals are smaller than those of before, which lie in its future, and they are new all the same."""
    shown, observed = played(
        *[("collect", 40)] * 3, ("restart", 0), ("set", -DAY_SECONDS), ("collect", 2), ("kill", 0), ("collect", 2)
    )

    assert shown == observed


@pytest.mark.parametrize("before", [(), (("set", -DAY_SECONDS), ("collect", 4))])
def test_a_watermark_without_totals_is_continued(before: Sequence[Step]):
    """After an upgrade of ours nothing that was counted counts again, and what follows is counted."""
    shown, observed = played(*[("collect", 4)] * 3, *before, ("downgraded", 0), ("kill", 0), *[("collect", 4)] * 3)

    assert shown == observed


CLOCKS = st.sampled_from([DAY_SECONDS, -DAY_SECONDS, 3 * 3600, -3 * 3600])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("collect"), st.integers(1, 9)),
        st.tuples(st.just("set"), CLOCKS).map(lambda step: (step, ("collect", 3))),
        st.sampled_from([("kill", 0), ("outage", 0)]),
    ),
    max_size=14,
).map(lambda steps: [one for step in steps for one in (step if isinstance(step[0], tuple) else (step,))])


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS)
def test_however_clocks_are_set_totals_add_up(steps: list[Step]):
    """A total that is taken for an old one for a moment is made up for by the next."""
    shown, observed = played(*steps, *[("collect", 1)] * 2)

    assert shown == observed
