"""The history file of the running daemon: watched, and replaced when it is lost."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NoReturn, Protocol

import structlog

from exporter.backoff import retry_delay
from exporter.clock import Clock
from exporter.errors import StoreError
from exporter.store.store import Store

log = structlog.get_logger("exporter.store")

STATS_SECONDS = 300.0

BETWEEN_SECONDS = 600.0
"""Minimum time between two reopened files: each one restarts the watching of all servers."""


class StoreUser(Protocol):
    """A part that uses the open file."""

    async def adopt(self, store: Store) -> None:
        """Continue with *store*; if it cannot be read, raise `StoreError` and continue as before."""


class History:
    """
    The history file, which is reopened after it was lost.

    Attributes:
        store: The open file. A lost file stays here, failing, until another one can be opened.
    """

    def __init__(self, store: Store, *, clock: Clock, rng: random.Random) -> None:
        self.store = store
        self._clock = clock
        self._rng = rng

    def hurry(self, seconds: float) -> None:
        """Set a deadline in *seconds* for all reads and writes."""
        self.store.hurry(seconds)

    async def aclose(self) -> None:
        """Close the file."""
        await self.store.aclose()

    async def keep(self, *, users: Sequence[StoreUser], changed: Callable[[], None]) -> NoReturn:
        """
        Open another file for *users* whenever the current one is lost, until cancelled.

        *changed* is called after each attempt. Until one succeeds, watching and exposition continue, as while the file
        cannot be written.
        """
        failures = 0
        while True:
            await self.store.lost.wait()
            try:
                self.store = await self.store.successor(now=self._clock.now())
                await self.store.refresh_stats()
                for user in users:
                    await user.adopt(self.store)
            except StoreError as error:
                self.store.lost.set()
                failures += 1
                wait = retry_delay(error, failures, self._rng)
                log.error("store.reopen_failed", error=str(error), wait_seconds=round(wait, 1))
            else:
                failures = 0
                wait = BETWEEN_SECONDS
                log.warning("store.reopened", path=str(self.store.path), rows=self.store.stats.rows)
            changed()
            await self._clock.sleep(wait)

    async def measure(self, *, changed: Callable[[], None]) -> NoReturn:
        """Update the file's statistics every `STATS_SECONDS`, until cancelled; *changed* is called each time."""
        while True:
            await self._clock.sleep(STATS_SECONDS)
            try:
                await self.store.refresh_stats()
            except StoreError as error:
                log.warning("store.operation_failed", error=str(error))
            changed()
