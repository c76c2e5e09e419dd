"""Stored samples of a server whose clock is set: none counts twice, and none is left out without a word."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.stored_samples import STORED_MARK, StoredReading
from exporter.model.telemetry import StoredSample
from exporter.stalwart.http.server_clock import ServerClock
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.store import Store
from tests.support.rigs.counting import TwoClocks

DAY_SECONDS = 86_400
SECONDS, POLL_SECONDS = 220, 7
APART_SECONDS = 20
"""Of a time that came and went between two polls nothing can be known."""

Steps = Sequence[tuple[int, int]]


class Sampled:
    """A server that stores a sample every *every* seconds, each of another value."""

    def __init__(self, clock: TwoClocks, *, every: int, drops_bounds: bool) -> None:
        self.samples: list[StoredSample] = []
        self._clock = clock
        self._every = every
        self._drops_bounds = drops_bounds

    def second(self, second: int) -> None:
        """One second passes."""
        if second % self._every == 0:
            at = datetime.fromtimestamp(int(self._clock.server_now), UTC)
            value = len(self.samples)
            self.samples.append(StoredSample(taken_at=at, kind="counter", id="auth.failed", value=value))

    async def fetch_stored_metrics(self, *, after: datetime) -> Sequence[StoredSample]:
        is_ignored = self._drops_bounds and after.timestamp() > self._clock.server_now
        listed = [sample for sample in self.samples if is_ignored or sample.taken_at >= after]
        return sorted(listed, key=lambda sample: sample.taken_at)


async def play(path: Path, steps: Steps, kills: Sequence[int], *, every: int, drops_bounds: bool) -> tuple[int, ...]:
    """What was sampled after the first poll, how much of it counted, how much was left out, and what counted twice."""
    clock = TwoClocks()
    server = Sampled(clock, every=every, drops_bounds=drops_bounds)
    store = await Store.open(path, now=clock.now())
    board = ServerBoard("mx1", TallyBook(), monotonic=clock.monotonic)
    ledger = await Ledger.load(store, "mx1", board.tallies, board)
    counted: Counter[int] = Counter()
    left_out = history = 0
    reading: StoredReading | None = None
    for second in range(SECONDS):
        clock.seconds = second
        clock.server_set = sum(by for at, by in steps if at <= second)
        server.second(second)
        if second % POLL_SECONDS:
            continue
        if reading is None or any(second - POLL_SECONDS < at <= second for at in kills):
            learning = ServerClock(clock)
            reading = StoredReading(ledger, clock=learning)
        learning.learn_date(formatdate(int(clock.server_now), usegmt=True), asked_at=clock.monotonic())
        batch = await reading.read(server)  # type: ignore[arg-type]
        await ledger.record({}, {STORED_MARK: reading.to_state(batch)})
        history = history or len(server.samples)
        counted.update(sample.value for sample in batch.new)
        left_out += batch.recent.ambiguous
    await store.aclose()
    uncounted = (SECONDS - 1) % POLL_SECONDS // every
    return len(server.samples) - history - uncounted, len(counted), left_out, sum(n - 1 for n in counted.values())


@pytest.mark.parametrize("drops_bounds", [True, False])
@pytest.mark.parametrize("every", [1, 5])
@pytest.mark.parametrize("kills", [(), (119,)])
@pytest.mark.parametrize(
    "steps",
    [
        [(60, DAY_SECONDS), (120, -DAY_SECONDS)],
        [(60, -DAY_SECONDS), (120, DAY_SECONDS), (180, -DAY_SECONDS)],
        [(40, DAY_SECONDS), (80, -DAY_SECONDS), (120, DAY_SECONDS), (160, -DAY_SECONDS)],
        [(40, DAY_SECONDS), (80, DAY_SECONDS), (120, -2 * DAY_SECONDS), (160, DAY_SECONDS)],
    ],
)
def test_a_clock_set_ahead_and_back_within_minutes_loses_nothing(
    tmp_path: Path, steps: Steps, kills: Sequence[int], every: int, drops_bounds: bool
):
    """What was counted before the first step is remembered, so that nothing is left out after the last."""
    played = play(tmp_path / "history.sqlite3", steps, kills, every=every, drops_bounds=drops_bounds)

    sampled, counted, left_out, twice = asyncio.run(played)

    assert (counted, left_out, twice) == (sampled, 0, 0)


@pytest.mark.parametrize("drops_bounds", [True, False])
@settings(max_examples=25)
@given(
    steps=st.lists(
        st.tuples(
            st.integers(10, SECONDS - 10),
            st.one_of(
                st.sampled_from([DAY_SECONDS, -DAY_SECONDS]),
                st.integers(-2 * DAY_SECONDS, 2 * DAY_SECONDS),
                st.integers(-1200, 1200),
            ),
        ),
        max_size=4,
    ).filter(lambda steps: all(b - a > APART_SECONDS for (a, _), (b, _) in pairwise(sorted(steps)))),
    kills=st.lists(st.integers(POLL_SECONDS, SECONDS), max_size=2),
    every=st.sampled_from([1, 5]),
)
def test_however_the_clock_is_set_each_sample_counts_once(
    drops_bounds: bool, steps: Steps, kills: Sequence[int], every: int
):
    """Each sample counts once; only what cannot be told from samples of the same time is left out, and is told of."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        sampled, counted, left_out, twice = asyncio.run(
            play(path, steps, kills, every=every, drops_bounds=drops_bounds)
        )

    assert twice == 0
    assert counted + left_out == sampled
