"""Keeps the exposition up to date: rebuilt when state changes, when a value expires, and at regular intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import NoReturn

from exporter.clock import Clock
from exporter.collectors.exposition import Exposition
from exporter.state.board import ServerBoard

OWN_REGISTRY_SECONDS = 10.0
"""The greatest age of metrics about our own process."""

SETTLE_SECONDS = 0.05
"""Changes come in groups; one rebuild covers them all."""


class Exposer:
    """The loop between state and exposition."""

    def __init__(self, exposition: Exposition, boards: Callable[[], Iterable[ServerBoard]], clock: Clock) -> None:
        self._exposition = exposition
        self._boards = boards
        self._clock = clock
        self._dirty = asyncio.Event()

    def changed(self) -> None:
        """Mark the exposition as outdated."""
        self._dirty.set()

    async def run(self) -> NoReturn:
        """Rebuild until cancelled."""
        refreshed = self._clock.monotonic()
        while True:
            await self._wait(refreshed + OWN_REGISTRY_SECONDS)
            self._dirty.clear()
            now = self._clock.monotonic()
            force = now >= refreshed + OWN_REGISTRY_SECONDS
            if force:
                refreshed = now
            self._exposition.build(force=force)
            await self._clock.sleep(SETTLE_SECONDS)

    async def _wait(self, until: float) -> None:
        expiries = [expiry for board in self._boards() if (expiry := board.next_expiry()) is not None]
        timeout = max(0.0, min([until, *expiries]) - self._clock.monotonic())
        try:
            async with asyncio.timeout(timeout):
                await self._dirty.wait()
        except TimeoutError:
            return
