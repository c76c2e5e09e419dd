"""What the live stream told and storage has not yet explained is counted once, also after a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from exporter.ingest.counting.coverage import SETTLE_SECONDS
from exporter.ingest.counting.reconciliation import FIRST_POLL_SECONDS
from exporter.model.delivery import DeliveryEvent, Trace
from exporter.model.live import LiveBatch, LiveEvents
from tests.support.rigs.counting import Counting, TwoClocks
from tests.support.worlds.hour import START

AT = datetime.fromtimestamp(START + 60, UTC)
PUT_OFF = DeliveryEvent("queue.rescheduled", AT, 7, "remote", span_recipients=("d@example.com", "e@other.test"))
ENDED = replace(PUT_OFF, event_id="delivery.attempt-end")
REJECTED = DeliveryEvent("delivery.rcpt-to-rejected", AT, 7, "remote", recipient="d@example.com", code=451)
SUSPECT = DeliveryEvent("delivery.start-tls-unavailable", AT, 7, "remote", domain="example.com")
TRACE = Trace(id=(START + 50 - 1_632_280_000) * 1000 << 21, events=[SUSPECT, REJECTED, PUT_OFF, ENDED])

Labels = tuple[str, ...]
EXPLAINED: Labels = ("temporary_failure", "unexpected_response", "451")
SUSPECTED: Labels = ("temporary_failure", "tls_error", "")


class Told:
    """A live stream that brings *batches* of events, and stored traces beside it."""

    def __init__(self, *batches: Sequence[DeliveryEvent], stored: Sequence[Trace] = ()) -> None:
        self.batches = batches
        self.stored = stored

    def batch(self, number: int) -> LiveBatch:
        """The batch of this *number*, in one message."""
        events = self.batches[number]
        return LiveBatch([LiveEvents(events, len(events), START + 60, START + 60)])

    async def fetch_trace_ids(self, *, after: datetime) -> Sequence[int]:
        return [trace.id for trace in self.stored]

    async def fetch_traces(self, ids: Sequence[int]) -> Sequence[Trace]:
        return [trace for trace in self.stored if trace.id in ids]


class Life:
    """One run of the exporter after another, on one file."""

    def __init__(self, path: Path) -> None:
        self.clock = TwoClocks()
        self._path = path
        self._run: Counting | None = None

    async def begin(self) -> Counting:
        """Starts it, after a kill if it was running."""
        await self.kill()
        self._run = await Counting.start(self._path, self.clock)
        return self._run

    async def kill(self) -> None:
        if self._run is not None:
            await self._run.store.aclose()
            self._run = None


async def _killed_while_waiting(life: Life, batch: LiveBatch) -> Counting:
    """What was told amid an attempt is in memory when the exporter is killed; a minute later it is back."""
    run = await life.begin()
    await run.job(Told())  # type: ignore[arg-type]
    await run.feed.connected()
    await run.feed.apply(batch)
    assert run.shown("deliveries") == {}
    life.clock.seconds += 60
    run = await life.begin()
    await run.feed.connected()
    return run


def test_a_deferral_that_waits_for_its_trace_survives_a_kill(tmp_path: Path):
    """Should the trace never be listed, it counts with what is known, and no sooner than it might be."""

    async def play() -> None:
        life, told = Life(tmp_path / "history.sqlite3"), Told([SUSPECT, PUT_OFF, ENDED], [])
        run = await _killed_while_waiting(life, told.batch(0))
        life.clock.seconds += FIRST_POLL_SECONDS - 1
        await run.feed.apply(told.batch(1))
        assert run.shown("deliveries") == {}
        life.clock.seconds += SETTLE_SECONDS
        await run.feed.apply(told.batch(1))
        assert run.shown("deliveries") == {SUSPECTED: 1}
        run = await life.begin()
        life.clock.seconds += SETTLE_SECONDS
        await run.feed.apply(told.batch(1))
        assert run.shown("deliveries") == {SUSPECTED: 1}
        await life.kill()

    asyncio.run(play())


def test_the_trace_that_comes_after_a_kill_explains_what_waited_for_it(tmp_path: Path):
    """It counts once and by its trace, whichever of the two is looked at first."""

    async def play() -> None:
        life, told = Life(tmp_path / "history.sqlite3"), Told([SUSPECT, PUT_OFF, ENDED], [], stored=[TRACE])
        run = await _killed_while_waiting(life, told.batch(0))
        await run.job(told)  # type: ignore[arg-type]
        assert run.shown("deliveries") == {EXPLAINED: 1}
        life.clock.seconds += SETTLE_SECONDS
        await run.feed.apply(told.batch(1))
        run = await life.begin()
        await run.feed.connected()
        life.clock.seconds += SETTLE_SECONDS
        await run.feed.apply(told.batch(1))
        assert run.shown("deliveries") == {EXPLAINED: 1}
        await life.kill()

    asyncio.run(play())


def test_a_deferral_whose_attempt_has_not_ended_survives_a_kill(tmp_path: Path):
    """A server without stored traces has told of it, and never will again."""

    async def play() -> None:
        life, told = Life(tmp_path / "history.sqlite3"), Told([REJECTED, PUT_OFF])
        run = await _killed_while_waiting(life, told.batch(0))
        run.feed._reconciler.coverage.no_store()
        await run.feed.apply(LiveBatch([]))
        assert run.shown("deliveries") == {EXPLAINED: 1}
        await life.kill()

    asyncio.run(play())


def test_what_the_stream_explains_counts_at_once(tmp_path: Path):
    """Though the attempt's beginning was missed: the last failure is the reason, and that was not."""

    async def play() -> None:
        life, told = Life(tmp_path / "history.sqlite3"), Told([REJECTED, PUT_OFF, ENDED], stored=[TRACE])
        run = await life.begin()
        await run.feed.connected()
        await run.feed.apply(told.batch(0))
        assert run.shown("deliveries") == {EXPLAINED: 1}
        await run.job(told)  # type: ignore[arg-type]
        assert run.shown("deliveries") == {EXPLAINED: 1}
        await life.kill()

    asyncio.run(play())
