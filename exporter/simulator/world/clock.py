"""The simulated time: real time, or a test's own."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the Unix epoch, which can be advanced."""

    def now(self) -> float:
        """Return the current time."""

    def advance(self, seconds: float) -> None:
        """Advance by `seconds`; if negative, go back."""


class WallClock:
    """Real time plus `ahead_seconds` and everything skipped with `advance`."""

    def __init__(self, ahead_seconds: float = 0.0) -> None:
        self._skipped = ahead_seconds

    def now(self) -> float:
        """Return the current time."""
        return time.time() + self._skipped

    def advance(self, seconds: float) -> None:
        """Skip `seconds`."""
        self._skipped += seconds


class ManualClock:
    """Time that stands still until it is advanced."""

    def __init__(self, start: float = 1_795_358_400.0) -> None:
        self._now = start

    def now(self) -> float:
        """Return the current time."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance by `seconds`."""
        self._now += seconds
