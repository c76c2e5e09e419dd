"""Time, injected: wall time for stamps, monotonic time for durations, and the only sleep."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """Where components take time from; tests pass one that they move by hand."""

    def now(self) -> datetime:
        """The wall time, aware and in UTC."""

    def monotonic(self) -> float:
        """Seconds that only go forward, from an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Returns after so many seconds of monotonic time."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def whole_second(at: datetime) -> datetime:
    """*at*, which is aware, in UTC and without its fraction. Raises ``OverflowError`` at the ends of the calendar."""
    return at.astimezone(UTC).replace(microsecond=0)


def rfc3339(at: datetime) -> str:
    """``2026-01-15T10:30:00Z`` for *at*, which is aware; its fraction is dropped."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@lru_cache(maxsize=256)
def unix_second(at: datetime) -> int:
    """The Unix second of *at*, which is aware; remembered, since many events share one."""
    return int(at.timestamp())
