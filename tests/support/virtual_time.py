"""An event loop in which waiting takes no time, and a clock that shows its time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime
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


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* to its end in a loop of its own, with asyncio's checks on."""
    with asyncio.Runner(loop_factory=VirtualLoop, debug=True) as runner:
        return runner.run(work)
