"""Supervision of long-running tasks: an end is logged and counted, and the task restarts after a backoff."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn

import structlog
from structlog.contextvars import bound_contextvars

from exporter.backoff import CAP_SECONDS, retry_delay
from exporter.clock import Clock

log = structlog.get_logger("exporter.supervise")

LongRun = Callable[[], Coroutine[Any, Any, None]]
"""Starts a task that is not meant to end; may be called again after it has ended."""


class Supervisor:
    """Runs long tasks; with *reraise_bugs*, as in the tests, the exception that ends a task is raised."""

    def __init__(self, *, clock: Clock, rng: random.Random, reraise_bugs: bool = False) -> None:
        self._clock = clock
        self._rng = rng
        self._reraise_bugs = reraise_bugs

    async def keep_running(
        self, run: LongRun, *, task: str, server: str = "", ended: Callable[[str], None] | None = None
    ) -> NoReturn:
        """
        Run *run* until cancelled, and restart it whenever it ends: by an exception, a stray cancellation or a return.

        Everything that *run* logs has the key ``server``. *ended* is called with a short cause each time.
        """
        failures = 0
        while True:
            started = self._clock.monotonic()
            with bound_contextvars(server=server):
                error = await _run_to_its_end(run, name=f"{server}-{task}".lstrip("-"))
            if self._reraise_bugs and error is not None:
                raise error
            failures = 1 if self._clock.monotonic() - started >= CAP_SECONDS else failures + 1
            wait = retry_delay(error or asyncio.CancelledError(), failures, self._rng)
            cause = "ended" if error is None else f"ended by {type(error).__name__}"
            log.error("task.ended", server=server, task=task, reason=cause, wait_seconds=round(wait, 1), exc_info=error)
            if ended is not None:
                ended(cause)
            await self._clock.sleep(wait)


async def _run_to_its_end(run: LongRun, *, name: str) -> BaseException | None:
    """Return the exception that ended *run*; ``None`` if it returned or was cancelled from inside."""
    task = asyncio.create_task(run(), name=name)
    try:
        await asyncio.wait([task])
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
    return None if task.cancelled() else task.exception()


async def end_all(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel *tasks* and wait until they have ended; may be called again after being cancelled itself."""
    cancelled = list(tasks)
    for task in cancelled:
        task.cancel()
    if cancelled:
        await asyncio.wait(cancelled)
