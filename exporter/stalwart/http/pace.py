"""Regular yielding to the event loop while parsing."""

from __future__ import annotations

import asyncio

EVENTS = 128
"""Pieces of a body, frames or lines; parsing them takes a few milliseconds."""


class Pace:
    """A counter that yields to the event loop after every *events* parsed, even within one read."""

    def __init__(self, *, events: int = EVENTS) -> None:
        self._events = events
        self._parsed = 0

    async def step(self, parsed: int = 1) -> None:
        """Count *parsed* events; yield if the limit is reached."""
        self._parsed += parsed
        if self._parsed >= self._events:
            self._parsed = 0
            await asyncio.sleep(0)
