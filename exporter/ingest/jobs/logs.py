"""
The server's log, counted line by line.

Lines have a timestamp in whole seconds and no id, so they are read from the newest back to those already counted, and
compared as multisets near the watermark. A log that grows fast is read more often than its interval. A log that cannot
be read correctly is reported, and not read at all if reading it would make it grow.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import structlog

from exporter.errors import TargetTimeout, TargetUnsupported
from exporter.ingest.counting.dedup_window import RecentMultiset
from exporter.ingest.counting.deliveries import LOG, OWNERS_MARK, DeliveryCounter, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.log_turns import Junction, TurnSplitter, item_of, since_last_turn
from exporter.ingest.counting.repeats.shared_outcomes import SharedOutcomes
from exporter.ingest.counting.trail.recorder import TrailRecorder
from exporter.ingest.jobs.log_reading import (
    FEWEST_LINES,
    FIRST_LINES,
    GROWTH,
    MAX_LINES,
    MAX_SPOOLED_BYTES,
    BackwardsReader,
    LogReading,
)
from exporter.ingest.jobs.log_state import LOG_MARK, WINDOW_SECONDS, newest_of, state_of
from exporter.ingest.jobs.log_watch import LogWatch, OwnLines
from exporter.model.delivery import LogLine
from exporter.stalwart.client import StalwartClient
from exporter.stalwart.events.attempt import AttemptKey
from exporter.stalwart.events.tracker import AttemptTracker, Decision
from exporter.stalwart.events.trail.log_lines import TrailLines
from exporter.stalwart.log_problems import LogProblem, has_bare_lines, look_at_log
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import Increments, add

__all__ = ["MAX_LINES", "LogJob", "OwnLines"]

log = structlog.get_logger("exporter.logs")

LINES_A_POLL = 2000
"""A log that grows by more lines per poll is polled more often, so that each poll has about this many."""

SOONEST_SECONDS = 5.0
LINES_AT_ONCE = 1000
"""Lines counted before the job yields to other tasks."""

EVENT_ID = re.compile(r"[a-z][a-z0-9-]{0,31}\.[a-z0-9-]{1,48}")
MAX_EVENT_IDS = 700
"""The server has about 640 event types; more than this are forged."""


@dataclass(slots=True)
class _Counted:
    """
    What one poll has counted.

    Attributes:
        trail: What it keeps.
        lines: Number of new lines.
        ours: Number of new lines that our own requests caused.
        known: Whether any line is one of those counted last.
        bare: `has_bare_lines` of the newest new lines that show it.
    """

    trail: TrailRecorder
    increments: Increments = field(default_factory=dict)
    lines: int = 0
    ours: int = 0
    known: bool = False
    bare: bool | None = None


class LogJob:
    """
    Reads and counts the newest log lines, and on servers without traces the deliveries in them.

    Attributes:
        sooner_seconds: Time from the start of this poll to the start of the next; ``None``: the interval.
    """

    def __init__(
        self,
        board: ServerBoard,
        ledger: Ledger,
        owners: DeliveryOwners,
        deliveries: DeliveryCounter,
        *,
        own: OwnLines | None,
        shared: SharedOutcomes | None = None,
        count_own: bool = False,
        interval_seconds: float = 60.0,
        most_spooled_bytes: int = MAX_SPOOLED_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.sooner_seconds: float | None = None
        self._board = board
        self._ledger = ledger
        self._owners = owners
        self._deliveries = deliveries
        self._own = own
        self._shared = shared
        self._count_own = count_own
        self._interval = interval_seconds
        self._most_bytes = most_spooled_bytes
        self._monotonic = monotonic
        self._held_since: Mapping[AttemptKey, float] = {}
        self._likely_lines = FIRST_LINES
        self._most_lines = MAX_LINES
        self._watch = LogWatch(board, own, interval_seconds=interval_seconds)
        self._looked = False

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once."""
        stopped = self._watch.stopped
        try:
            if not self._looked:
                again = self._watch.stopped is LogProblem.OWN_RESPONSES
                self._watch.looked(await look_at_log(client, again=again))
                self._looked = True
            await self._poll(client)
        except TargetUnsupported:
            self._looked = False
            if self._watch.stopped is not stopped:
                await self._leave_alone()
            raise

    async def _leave_alone(self) -> None:
        """Stop counting; a log that is full of our responses is not read from here later."""
        self.sooner_seconds = None
        if self._ledger.watermark(LOG_MARK) is not None:
            self._count_gap()
        if self._watch.stopped is LogProblem.OWN_RESPONSES:
            await self._ledger.record({}, {LOG_MARK: None})

    async def _poll(self, client: StalwartClient) -> None:
        restored = self._ledger.restore(LOG_MARK, self._restored)
        if restored is None:
            await self._first_contact(client)
            return
        recent, folder, counted = restored
        junction = Junction(recent)
        reading = await self._read(client, junction)
        async with nullcontext() if self._shared is None else self._shared.counting():
            await self._count_reading(reading, recent, folder, junction, counted)

    async def _count_reading(
        self,
        reading: LogReading,
        recent: RecentMultiset,
        folder: AttemptTracker,
        junction: Junction,
        counted: _Counted,
    ) -> None:
        """Add what is new in *reading* to *counted*, and record it."""
        horizon, lines_read = recent.horizon, reading.spool.lines
        if self._owners.vacant:
            self._owners.take_over(LOG)
        if junction.is_missed:
            recent.begin_anew()
        await self._count_all(reading, recent, folder, counted, are_new=not junction.is_missed)
        if junction.is_missed or (not counted.known and horizon is not None and _begins_after(reading, horizon)):
            log.warning("log.gap_found", server=self._board.name, lines_read=lines_read)
            self._count_gap()
        self._count_decided(folder.take_overdue((recent.horizon or 0) + WINDOW_SECONDS), counted)
        self._deliveries.end_sessions(counted.trail)
        self._held_since = folder.held_since()
        self._pace(counted.lines)
        marks = {OWNERS_MARK: self._owners.to_state(), **self._marks(recent, folder, counted.trail)}
        rows = () if self._shared is None else self._shared.rows(LOG)
        await self._ledger.record(counted.increments, marks, rows, trail=counted.trail.take())
        self._watch.conclude(reading, counted.lines, counted.ours, counted.bare)

    def _restored(self, state: Any) -> tuple[RecentMultiset, AttemptTracker, _Counted]:
        """Return the last lines, the attempts in progress, and the trail of a saved *state*."""
        strays = state.get("strays", ())
        folder = AttemptTracker.from_state(state["attempts"], self._monotonic, self._held_since, strays)
        counted = _Counted(self._deliveries.recorder(LOG, state.get("trail")))
        return RecentMultiset.from_state(WINDOW_SECONDS, state["recent"]), folder, counted

    async def _read(self, client: StalwartClient, junction: Junction) -> LogReading:
        """Read with a smaller limit after a timeout, and raise it again after a success."""
        reader = BackwardsReader(client, self._watch.check, most_lines=self._most_lines, most_bytes=self._most_bytes)
        try:
            reading = await reader.read(junction, likely=self._likely_lines)
        except TargetTimeout:
            self._most_lines = max(FEWEST_LINES, self._most_lines // GROWTH)
            raise
        self._most_lines = min(MAX_LINES, 2 * self._most_lines)
        return reading

    async def _first_contact(self, client: StalwartClient) -> None:
        """Record the end of the log; everything before it is history."""
        lines = await client.fetch_newest_log_lines(limit=FIRST_LINES)
        self._watch.check(lines)
        recent = RecentMultiset(WINDOW_SECONDS)
        recent.take_new([item_of(line) for line in since_last_turn(lines)])
        folder, trail = AttemptTracker(), self._deliveries.recorder(LOG)
        told_by = TrailLines()
        for line in reversed(lines):
            if line.delivery is not None:
                folder.feed(line.delivery)
            if trail.enabled and (told := told_by.event(line)) is not None:
                trail.feed(told)
        folder.forget_deferrals()
        self._watch.first_lines(lines)
        await self._ledger.record({}, self._marks(recent, folder, trail))

    def _marks(self, recent: RecentMultiset, folder: AttemptTracker, trail: TrailRecorder) -> Mapping[str, Any]:
        marks = {LOG_MARK: state_of(recent, folder, trail)}
        if self._shared is None:
            return marks
        self._shared.logged(newest_of(recent))
        return {**marks, **self._shared.marks()}

    def _pace(self, new: int) -> None:
        """Adjust the next limit and interval to the number of *new* lines."""
        self._likely_lines = min(MAX_LINES, max(FIRST_LINES, 2 * new))
        fast = new > LINES_A_POLL
        self.sooner_seconds = max(SOONEST_SECONDS, self._interval * LINES_A_POLL / new) if fast else None

    async def _count_all(
        self,
        reading: LogReading,
        recent: RecentMultiset,
        folder: AttemptTracker,
        counted: _Counted,
        *,
        are_new: bool,
    ) -> None:
        """Add the new lines of a reading to *counted*; if *are_new* is false, only record them as counted."""
        looking, turns = recent.look(), TurnSplitter()
        async for lines in reading.spool.oldest_first():
            for end in range(len(lines), 0, -LINES_AT_ONCE):
                for has_turned, part in turns.split(lines[max(0, end - LINES_AT_ONCE) : end]):
                    if has_turned:
                        recent.begin_anew()
                        looking = recent.look()
                    items = [item_of(line) for line in part]
                    counted.known = counted.known or recent.has_any(items)
                    new = [part[index] for index in looking.take_new(items)]
                    bare = has_bare_lines(new)
                    counted.bare = counted.bare if bare is None else bare
                    self._count(new[::-1] if are_new else (), folder, counted)
                if (kept := counted.trail.take_repeatable()) is not None:
                    await self._ledger.record({}, {}, trail=kept)
                await asyncio.sleep(0)
        looking.finish()

    def _count_gap(self) -> None:
        """Record a gap: none of the lines was counted before, so lines in between were not read or no longer exist."""
        self._board.log_gaps += 1
        self._board.touch(Part.HEALTH)

    def _count(self, lines: Sequence[LogLine], folder: AttemptTracker, counted: _Counted) -> None:
        increments = counted.increments
        counted.lines += len(lines)
        told_by = TrailLines()
        for line in lines:
            if line.version:
                self._board.learn_version(line.version)
            ours = self._own is not None and self._own.wrote(line)
            counted.ours += ours
            if self._count_own or not ours:
                add(increments, "log_entries", (line.level, self._event(line.event_id, increments)), 1)
            if counted.trail.enabled and (told := told_by.event(line)) is not None:
                counted.trail.feed(told)
            if line.delivery is not None:
                self._count_decided(folder.feed(line.delivery), counted)

    def _count_decided(self, decisions: Sequence[Decision], counted: _Counted) -> None:
        if self._shared is not None:
            decisions = self._shared.take_logged(decisions, self._owners)
        outcomes = [decision.outcome for decision in decisions]
        self._deliveries.count(LOG, outcomes, counted.increments, counted.trail)

    def _event(self, event_id: str, increments: Increments) -> str:
        """Return the label for an event id; ids unknown to us are accepted, since newer releases add some."""
        known = self._board.tallies.family("log_entries")
        if EVENT_ID.fullmatch(event_id) and (len(known) < MAX_EVENT_IDS or any(e == event_id for _, e in known)):
            return event_id
        self._board.count_unknown({"log_event": 1})
        return "unknown"


def _begins_after(reading: LogReading, horizon: int) -> bool:
    return reading.oldest_at is not None and int(reading.oldest_at.timestamp()) >= horizon
