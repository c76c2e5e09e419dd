"""A clock that a test moves."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from tests.support.reports import wire


class TestClock:
    """Sleeping moves it; nothing else does but `pass_time`."""

    __test__ = False

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or wire.at("2026-11-22T12:00:00")
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        self.pass_time(seconds)
        await asyncio.sleep(0)

    def pass_time(self, seconds: float) -> None:
        """Time goes by."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds
