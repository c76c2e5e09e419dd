"""Deletes from the history at regular intervals, whatever happens to one attempt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NoReturn

import structlog

from exporter.clock import Clock
from exporter.errors import ExporterError
from exporter.ingest.loops.guard import catching_bugs

log = structlog.get_logger("exporter.pruning")


async def prune_regularly(
    prune: Callable[[], Awaitable[object]], *, task: str, every_seconds: float, clock: Clock, reraise_bugs: bool
) -> NoReturn:
    """Call *prune* every *every_seconds* until cancelled; a failure is logged and counted under *task*."""
    while True:
        try:
            await catching_bugs(prune(), server="", task=task, reraise=reraise_bugs)
        except ExporterError as error:
            log.warning("prune.failed", task=task, error=str(error))
        await clock.sleep(every_seconds)
