"""Writes each server's numbers at the end of every step, for the pictures of the pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.errors import StoreError
from exporter.state.board import ServerBoard
from exporter.store.steps.steps import STEP_SECONDS, Step, save_steps
from exporter.store.store import MAX_INTEGER, Store

log = structlog.get_logger("exporter.steps")

SPAM, LOGIN_FAILED = "message-ingest.spam", "auth.failed"
"""The server's events of messages stored as spam and of failed logins."""


class StepKeeper:
    """The loop that writes one row per server and step, all in one transaction."""

    def __init__(
        self,
        store: Store,
        boards: Callable[[], Iterable[ServerBoard]],
        *,
        clock: Clock,
        step_seconds: int = STEP_SECONDS,
    ) -> None:
        self._store = store
        self._boards = boards
        self._clock = clock
        self._step_seconds = step_seconds

    async def adopt(self, store: Store) -> None:
        """Continue with *store*."""
        self._store = store

    async def run(self) -> NoReturn:
        """Write at the end of every step until cancelled; a step that cannot be written is left out."""
        while True:
            now = self._clock.now().timestamp()
            await self._clock.sleep(self._step_seconds - now % self._step_seconds)
            try:
                await self.record()
            except StoreError as error:
                log.warning("steps.write_failed", error=str(error))

    async def record(self) -> None:
        """Write the step that ends now. Raises `StoreError`."""
        now = self._clock.now()
        length = self._step_seconds
        # The sleep may end a moment too early by the wall clock.
        at = round(now.timestamp() / length) * length
        steps = {board.name: step_of(board, at=at, now=now) for board in self._boards()}

        await save_steps(self._store, steps, seconds=length)


def step_of(board: ServerBoard, *, at: int, now: datetime) -> Step:
    """Return the numbers of a server at the end of a step."""
    queue, tallies = board.queue, board.tallies
    outcomes = {"delivered": 0, "temporary_failure": 0, "permanent_failure": 0}
    for (outcome, *_), number in tallies.family("deliveries").items():
        if outcome in outcomes:
            outcomes[outcome] += number
    oldest = None if queue is None else queue.oldest_created_at
    events = tallies.family("events")
    return Step(
        at=at,
        messages=None if queue is None else queue.messages,
        oldest_seconds=None if oldest is None else max(0, int((now - oldest).total_seconds())),
        due=None if queue is None else sum(queue.overdue.values()),
        delivered=outcomes["delivered"],
        temporary_failures=outcomes["temporary_failure"],
        permanent_failures=outcomes["permanent_failure"],
        spam=_storable(events.get((SPAM,))),
        logins_failed=_storable(events.get((LOGIN_FAILED,))),
    )


def _storable(total: int | None) -> int | None:
    """Return a total of the server; ``None`` for one that is too large for a column, as only a defect makes it."""
    return None if total is None or total > MAX_INTEGER else total
