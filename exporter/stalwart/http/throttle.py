"""How often one server may be asked."""

from __future__ import annotations

import asyncio
from collections import deque

from exporter.clock import Clock

REQUESTS = 55
"""Below the 60 a minute that we promise a server, with room for the connects of its streams."""

WINDOW_SECONDS = 60.0


class Throttle:
    """
    A sliding window: in no *window_seconds* do more than *requests* pass.

    Shared by all that talk to one server. Those who wait pass in the order in which they came.
    """

    def __init__(self, *, clock: Clock, requests: int = REQUESTS, window_seconds: float = WINDOW_SECONDS) -> None:
        if requests < 1 or window_seconds <= 0:
            raise ValueError("a throttle lets something pass, in some time")
        self._clock = clock
        self._window_seconds = window_seconds
        self._passed: deque[float] = deque(maxlen=requests)
        self._turn = asyncio.Lock()

    async def wait(self) -> None:
        """Returns when the next request may go, and counts it. At most one window per place in the line."""
        async with self._turn:
            if len(self._passed) == self._passed.maxlen:
                while (early := self._passed[0] + self._window_seconds - self._clock.monotonic()) > 0:
                    await self._clock.sleep(early)
            self._passed.append(self._clock.monotonic())
