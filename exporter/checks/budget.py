"""The limit on the rate of DNS queries."""

from __future__ import annotations

import asyncio

from exporter.clock import Clock

BURST = 5
"""Queries that may follow each other at once; with the rate, the most in any second."""

MOST_PER_SECOND = 90
"""With `BURST`, fewer than 100 queries in any second."""


class QueryBudget:
    """
    Admits at most *per_second* + `BURST` - 1 queries in any second, evenly spaced under load.

    Shared by all servers. Waiting queries pass in order of arrival.
    """

    def __init__(self, *, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._gap = 1.0 / min(per_second, MOST_PER_SECOND)
        self._next = 0.0
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until the next query may be sent, and admit it."""
        async with self._turn:
            now = self._clock.monotonic()
            self._next = max(self._next, now - (BURST - 1) * self._gap)
            if (early := self._next - now) > 0:
                await self._clock.sleep(early)
            self._next += self._gap
