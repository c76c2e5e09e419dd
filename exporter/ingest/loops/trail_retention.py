"""Keeps the trail within its age and its size, in small batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

import structlog

from exporter.clock import Clock, unix_second
from exporter.ingest.loops.pruning import prune_regularly
from exporter.store.store import Store
from exporter.store.trail.pruning import measure_trail, oldest_part, prune_trail

log = structlog.get_logger("exporter.trail_retention")

EVERY_SECONDS = 300.0
PAUSE_SECONDS = 0.1
"""Pause between two batches, so that other transactions can use the database."""

SHARE_KEPT = 0.95
"""The share of the maximum size that is left after pruning, so that it is not reached again at once."""

PART_ROWS = 1000
"""Messages, outcomes or refusals that are dropped at a time because of the size."""


class TrailRetention:
    """
    The loop that keeps the trail within its bounds.

    Attributes:
        keep_seconds: How far back it reaches; a change takes effect with the next run.
        max_bytes: How much space it may take up; likewise.
    """

    def __init__(
        self,
        store: Store,
        *,
        keep_seconds: float,
        max_bytes: int,
        clock: Clock,
        now: Callable[[], datetime] | None = None,
        reraise_bugs: bool = False,
    ) -> None:
        """*now* returns the time that decides the age; the *clock*'s by default."""
        self.keep_seconds = keep_seconds
        self.max_bytes = max_bytes
        self._store = store
        self._clock = clock
        self._now = now or clock.now
        self._reraise_bugs = reraise_bugs

    async def adopt(self, store: Store) -> None:
        """Continue with *store*."""
        self._store = store

    async def run(self) -> NoReturn:
        """Prune at regular intervals until cancelled."""
        await prune_regularly(
            self.prune,
            task="trail-retention",
            every_seconds=EVERY_SECONDS,
            clock=self._clock,
            reraise_bugs=self._reraise_bugs,
        )

    async def prune(self) -> int:
        """Delete what is too old, then the oldest of what is too much; return the rows. Raises `StoreError`."""
        total = await self._prune_before(unix_second(self._now()) - int(self.keep_seconds))
        extent = await measure_trail(self._store)
        size, left = float(extent.size_bytes), sum(self._rows())
        if size > self.max_bytes and left:
            row_bytes = size / left
            while size > SHARE_KEPT * self.max_bytes and (before := await oldest_part(self._store, PART_ROWS)):
                gone = await self._prune_before(before)
                size -= gone * row_bytes
                total += gone
        if total:
            extent = await measure_trail(self._store)
        self._store.stats.trail_bytes, self._store.stats.trail_oldest_at = extent
        if total:
            log.info("trail.pruned", rows=total)
        return total

    def _rows(self) -> list[int]:
        return [count for table, count in self._store.stats.rows.items() if table.startswith("trail_")]

    async def _prune_before(self, before: int) -> int:
        total = 0
        while (gone := await prune_trail(self._store, before=before)) > 0:
            total += gone
            await self._clock.sleep(PAUSE_SECONDS)
        return total
