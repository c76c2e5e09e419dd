"""An event loop in which waiting takes no time, a clock that shows its time, and one that is moved by hand."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_800_000_000
"""The wall time at which the loop's time is zero, in Unix seconds."""


class _Selector(selectors.DefaultSelector):
    """Advances *passed_seconds* where another selector would wait for nothing but time."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout is None:
            return ready or super().select(None)
        self.passed_seconds += max(0.0, timeout)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop whose time stands still while anything runs, and moves on to the next timer when nothing does.

    Whatever else the test waits for (a thread, a socket) must be ready before the next timer is due, as that is
    reached at once.
    """

    def __init__(self) -> None:
        self._own_selector = _Selector()
        super().__init__(self._own_selector)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._own_selector.passed_seconds


class VirtualClock:
    """The `Clock` of the running `VirtualLoop`."""

    def now(self) -> datetime:
        return datetime.fromtimestamp(START + self.monotonic(), UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class HandClock:
    """
    A `Clock` that moves when something sleeps, and by hand; it needs no loop of its own.

    Attributes:
        seconds: Monotonic time since it was made.
        set_seconds: By how much the wall clock has been set, which moves no monotonic time.
        slept: Every sleep, in seconds.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.seconds = 0.0
        self.set_seconds = 0.0
        self.slept: list[float] = []
        self._start = start or datetime.fromtimestamp(START, UTC)

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.seconds + self.set_seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* to its end in a loop of its own, with asyncio's checks on."""
    with asyncio.Runner(loop_factory=VirtualLoop, debug=True) as runner:
        return runner.run(work)
