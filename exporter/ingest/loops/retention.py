"""Deletes reports that are older than the configured retention, in small batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.ingest.loops.pruning import prune_regularly
from exporter.store.reports.pruning import PRUNE_BATCH, prune_batch
from exporter.store.store import Store

log = structlog.get_logger("exporter.retention")

EVERY_SECONDS = 3600.0
PAUSE_SECONDS = 0.2
"""Pause between two batches, so that other transactions can use the database."""


class Retention:
    """
    The loop that keeps the history within its retention.

    Attributes:
        keep: How far back the history reaches; a change takes effect with the next run.
    """

    def __init__(
        self,
        store: Store,
        *,
        keep_seconds: float,
        clock: Clock,
        now: Callable[[], datetime] | None = None,
        every_seconds: float = EVERY_SECONDS,
        reraise_bugs: bool = False,
    ) -> None:
        """*now* returns the time that decides the age of reports; the *clock*'s by default."""
        self._store = store
        self.keep = timedelta(seconds=keep_seconds)
        self._clock = clock
        self._now = now or clock.now
        self._every_seconds = every_seconds
        self._reraise_bugs = reraise_bugs

    async def adopt(self, store: Store) -> None:
        """Continue with *store*."""
        self._store = store

    async def run(self) -> NoReturn:
        """Prune at regular intervals until cancelled."""
        await prune_regularly(
            self.prune,
            task="retention",
            every_seconds=self._every_seconds,
            clock=self._clock,
            reraise_bugs=self._reraise_bugs,
        )

    async def prune(self) -> int:
        """Delete every report that is too old and return their number. Raises `StoreError`."""
        before = self._now() - self.keep
        total = 0
        while (gone := await prune_batch(self._store, before=before)) > 0:
            total += gone
            if gone < PRUNE_BATCH:
                break
            await self._clock.sleep(PAUSE_SECONDS)
        if total:
            log.info("retention.pruned", reports=total)
        return total
