"""How much may be parsed before the event loop goes on with everything else."""

from __future__ import annotations

import asyncio

EVENTS = 128
"""Pieces of a body, frames or lines: a few milliseconds of parsing."""


class Pace:
    """Yields to the event loop after every *events* parsed, however many of them came in one read."""

    def __init__(self, *, events: int = EVENTS) -> None:
        self._events = events
        self._parsed = 0

    async def step(self, parsed: int = 1) -> None:
        """Count what was *parsed*; yield if enough has been."""
        self._parsed += parsed
        if self._parsed >= self._events:
            self._parsed = 0
            await asyncio.sleep(0)
