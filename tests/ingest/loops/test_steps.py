"""The steps behind the pages' pictures: written on time, counted once, kept for eight days."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.clock import unix_second
from exporter.ingest.loops.steps import StepKeeper
from exporter.model.trail import RefusalReason
from exporter.state.board import ServerBoard
from exporter.state.tally import TallyBook
from exporter.store.reading import reading
from exporter.store.steps.steps import KEEP_STEPS, STEP_SECONDS, Step, load_steps
from exporter.store.store import Store
from exporter.store.trail.rows import RefusalRow, TrailRows, trail_writer
from tests.support.virtual_time import HandClock

NOW = datetime(2026, 12, 1, tzinfo=UTC)
SECOND = unix_second(NOW)


def deliveries(number: int) -> dict[tuple[str, tuple[str, ...]], int]:
    return {("deliveries", ("delivered", "", "remote")): number, ("events", ("auth.failed",)): 2}


def refusal(at: int, reason: RefusalReason, port: int) -> RefusalRow:
    return RefusalRow(at, "smtp.rejected", "192.0.2.1", port, "", reason, "smtp", "", "", 0, "550", "no", False)


def steps_of(path: Path, *, server: str = "mx1", since: int = 0) -> Sequence[Step]:
    with reading(path) as history:
        return load_steps(history, server, since=since)


def test_a_step_is_written_with_the_totals_of_its_end(tmp_path: Path):
    """Outcomes and events are those of the tallies; what is not known is not zero."""

    async def play() -> Path:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)
        clock = HandClock(NOW)
        keeper = StepKeeper(store, lambda: [board], clock=clock)
        for _ in range(2):
            board.tallies.apply(deliveries(10))
            await keeper.record()
            clock.seconds += STEP_SECONDS
        await store.aclose()
        return store.path

    assert steps_of(asyncio.run(play())) == [
        Step(at=SECOND, delivered=10, logins_failed=2),
        Step(at=SECOND + STEP_SECONDS, delivered=20, logins_failed=4),
    ]


def test_a_total_of_64_bits_takes_no_step_of_another_server(tmp_path: Path):
    """A server may report totals from 2^63 on; its picture has a gap there, and all else is written."""

    async def play() -> Path:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        boards = [ServerBoard(name, TallyBook(), monotonic=lambda: 0.0) for name in ("mx1", "mx2")]
        boards[1].tallies.apply({("events", ("auth.failed",)): 1 << 63, ("events", ("message-ingest.spam",)): 7})
        boards[0].tallies.apply(deliveries(10))
        await StepKeeper(store, lambda: boards, clock=HandClock(NOW)).record()
        await store.aclose()
        return store.path

    path = asyncio.run(play())

    assert steps_of(path) == [Step(at=SECOND, delivered=10, logins_failed=2)]
    assert steps_of(path, server="mx2") == [Step(at=SECOND, spam=7)]


def test_refusals_count_at_their_own_time(tmp_path: Path):
    """One that is read late is added to its step, by its reason; a sender that is greylisted is not refused."""

    async def play() -> Path:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        clock = HandClock(NOW)
        keeper = StepKeeper(store, lambda: [ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)], clock=clock)
        await keeper.record()
        rows = TrailRows()
        reasons = (*RefusalReason, RefusalReason.SPAM_REJECTED)
        rows.refusals += [refusal(SECOND - 9, reason, port) for port, reason in enumerate(reasons)]
        await store.write(trail_writer([rows], "mx1"))
        clock.seconds += STEP_SECONDS
        await keeper.record()
        await store.aclose()
        return store.path

    late, now = steps_of(asyncio.run(play()))

    assert (late.refused_spam, late.refused_logins, late.refused_others) == (3, 1, len(RefusalReason) - 4)
    assert (now.refused_spam, now.refused_logins, now.refused_others) == (0, 0, 0)


def test_steps_are_kept_for_eight_days(tmp_path: Path):
    """Older ones are deleted, also those of a server that is gone."""

    async def play() -> Path:
        store = await Store.open(tmp_path / "history.sqlite3", now=NOW)
        clock = HandClock(NOW)
        names = ["mx1", "gone"]
        keeper = StepKeeper(
            store,
            lambda: [ServerBoard(name, TallyBook(), monotonic=lambda: 0.0) for name in names],
            clock=clock,
        )
        await keeper.record()
        names.remove("gone")
        clock.seconds += STEP_SECONDS * (KEEP_STEPS + 1)
        await keeper.record()
        assert [row[0] for row in await store.read("SELECT server FROM step")] == ["mx1"]
        await store.aclose()
        return store.path

    assert [step.at for step in steps_of(asyncio.run(play()))] == [
        unix_second(NOW + timedelta(seconds=STEP_SECONDS * (KEEP_STEPS + 1)))
    ]
