"""Forgets reports that are older than the history is to reach back, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.errors import ExporterError
from exporter.ingest.loops.guard import catching_bugs
from exporter.store.reports.pruning import PRUNE_BATCH, prune_batch
from exporter.store.store import Store

log = structlog.get_logger("exporter.retention")

EVERY_SECONDS = 3600.0
PAUSE_SECONDS = 0.2
"""Between two batches, so that others get at the file."""


class Retention:
    """
    The loop that keeps the history to its length.

    Attributes:
        keep: How far back the history reaches; holds from the next time on.
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
        """*now* is the time by which reports are old, where that is not the *clock*'s."""
        self._store = store
        self.keep = timedelta(seconds=keep_seconds)
        self._clock = clock
        self._now = now or clock.now
        self._every_seconds = every_seconds
        self._reraise_bugs = reraise_bugs

    async def adopt(self, store: Store) -> None:
        """Go on with *store*."""
        self._store = store

    async def run(self) -> NoReturn:
        """Prunes now and then until cancelled."""
        while True:
            try:
                await catching_bugs(self.prune(), server="", task="retention", reraise=self._reraise_bugs)
            except ExporterError as error:
                log.warning("retention.failed", error=str(error))
            await self._clock.sleep(self._every_seconds)

    async def prune(self) -> int:
        """Deletes everything that is too old; how many reports that were. Raises `StoreError`."""
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
