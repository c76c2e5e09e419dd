"""The limit on the rate of requests to one server."""

from __future__ import annotations

import asyncio
from collections import deque

from exporter.clock import Clock

REQUESTS = 55
"""Below the documented 60 per minute, leaving room for stream connections."""

WINDOW_SECONDS = 60.0


class Throttle:
    """
    A sliding window that admits at most *requests* in any *window_seconds*.

    Shared by everything that sends requests to one server. Waiting requests pass in order of arrival.
    """

    def __init__(self, *, clock: Clock, requests: int = REQUESTS, window_seconds: float = WINDOW_SECONDS) -> None:
        if requests < 1 or window_seconds <= 0:
            raise ValueError("a throttle lets something pass, in some time")
        self._clock = clock
        self._window_seconds = window_seconds
        self._passed: deque[float] = deque(maxlen=requests)
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until the next request may be sent, and count it; at most one window per request ahead in the queue."""
        async with self._turn:
            if len(self._passed) == self._passed.maxlen:
                while (early := self._passed[0] + self._window_seconds - self._clock.monotonic()) > 0:
                    await self._clock.sleep(early)
            self._passed.append(self._clock.monotonic())
