"""Injected time: wall time for timestamps, monotonic time for durations, and sleeping."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol


class Clock(Protocol):
    """The source of time for components; tests pass one that they advance by hand."""

    def now(self) -> datetime:
        """Return the wall time, aware and in UTC."""

    def monotonic(self) -> float:
        """Return monotonic seconds since an arbitrary start."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for *seconds* of monotonic time."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def whole_second(at: datetime) -> datetime:
    """Return *at* (aware) in UTC without its fraction. Raises ``OverflowError`` at the ends of the calendar."""
    return at.astimezone(UTC).replace(microsecond=0)


def rfc3339(at: datetime) -> str:
    """Format *at* (aware) as ``2026-01-15T10:30:00Z``, without its fraction."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@lru_cache(maxsize=256)
def unix_second(at: datetime) -> int:
    """Return the Unix second of *at* (aware); cached, since many events share one."""
    return int(at.timestamp())
