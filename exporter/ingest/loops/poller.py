"""
The loop around every collector: runs it on time and keeps its health.

A run that exceeds its interval delays the next one; runs never overlap. After a failure the collector waits between 1
and 1.5 intervals. A collector that the server does not support or forbids is retried once per hour after a second
refusal has confirmed it; until then, one that worked before counts as failing.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import NoReturn, Protocol, runtime_checkable

import structlog

from exporter.backoff import retry_delay
from exporter.clock import Clock
from exporter.errors import (
    HistoryUnavailable,
    InternalError,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetUnsupported,
)
from exporter.ingest.loops.availability import Availability, Refusal, status_of
from exporter.ingest.loops.guard import catching_bugs
from exporter.ingest.loops.session import RECHECK_SECONDS, Session
from exporter.model.server import Capability
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part
from exporter.state.health import CollectorHealth

log = structlog.get_logger("exporter.poller")

MAX_INTERVALS = 1.5
"""The longest wait after a failure, in intervals."""

Job = Callable[[StalwartClient], Awaitable[None]]


@runtime_checkable
class PacedJob(Protocol):
    """
    A job that may need to run again before its interval is over.

    Attributes:
        sooner_seconds: Time from the start of this run to the start of the next; ``None``: the interval.
    """

    sooner_seconds: float | None


class Poller:
    """
    Runs one collector of one server.

    *speaks_for_api* is false for a collector that does not use the management API: its outcome does not affect
    ``stalwart_up``. Without *needs_api* it also runs while that cannot be reached. A collector that the server does not
    support or forbids is retried after *recheck_seconds*.
    """

    def __init__(
        self,
        *,
        name: str,
        job: Job,
        session: Session,
        interval_seconds: float,
        first_delay_seconds: float,
        clock: Clock,
        rng: random.Random,
        capability: Capability | None = None,
        speaks_for_api: bool = True,
        needs_api: bool = True,
        recheck_seconds: float = RECHECK_SECONDS,
        reraise_bugs: bool = False,
    ) -> None:
        self.name = name
        self._job = job
        self._session = session
        self._interval = interval_seconds
        self._first_delay = first_delay_seconds
        self._clock = clock
        self._rng = rng
        self._speaks_for_api = speaks_for_api
        self._needs_api = needs_api
        self._recheck_seconds = recheck_seconds
        self._reraise_bugs = reraise_bugs
        self._failures = 0
        self._own_failure = False
        self._availability = Availability(session, capability, clock)
        self.health = CollectorHealth(name=name, interval_seconds=interval_seconds)
        session.board.collectors[name] = self.health

    async def run(self) -> NoReturn:
        """Run the collector until cancelled."""
        await self._clock.sleep(self._first_delay)
        while True:
            started = self._clock.monotonic()
            failure = await self.run_once()
            took = self._clock.monotonic() - started
            self.health.durations.observe(took)
            self._session.board.touch(Part.HEALTH)
            await self._pause(failure, took)

    async def run_once(self) -> TargetError | None:
        """Run the collector once and update its health; return the failure, or ``None`` after a success."""
        try:
            client = await self._session.client() if self._needs_api else self._session.any_client
        except TargetError as error:
            return self._failed(error, reached=False)
        board = self._session.board
        try:
            await catching_bugs(self._job(client), server=board.name, task=self.name, reraise=self._reraise_bugs)
        except (TargetUnsupported, TargetForbidden) as error:
            return self._refused(error)
        except TargetError as error:
            return self._failed(error, reached=not isinstance(error, InternalError | HistoryUnavailable))
        self._succeeded()
        return None

    async def _pause(self, failure: TargetError | None, took: float) -> None:
        if failure is None:
            sooner = self._job.sooner_seconds if isinstance(self._job, PacedJob) else None
            await self._clock.sleep(max(0.0, min(self._interval, sooner or self._interval) - took))
        elif isinstance(failure, TargetUnsupported | TargetForbidden):
            await self._session.wait_for_news(self._refusal_seconds(failure))
        elif isinstance(failure, TargetRefused):
            await self._session.wait_for_news(retry_delay(failure, self._failures, self._rng))
        else:
            await self._wait_to_retry(failure, took)

    def _refusal_seconds(self, refusal: Refusal) -> float:
        if isinstance(refusal, TargetUnsupported) and refusal.again_seconds:
            return refusal.again_seconds
        return self._availability.wait_seconds(soon_seconds=2 * self._interval, recheck_seconds=self._recheck_seconds)

    async def _wait_to_retry(self, failure: TargetError, took: float) -> None:
        most = MAX_INTERVALS * self._interval
        delay = retry_delay(failure, self._failures, self._rng, cap_seconds=most)
        wait = max(0.0, max(self._interval, delay) - took)
        if self._own_failure:
            # The server has been detected again, but that must not hurry a request that fails while others succeed.
            held = min(delay, wait)
            await self._clock.sleep(held)
            wait -= held
        await self._session.wait_for_news(wait)

    def _succeeded(self) -> None:
        if self.health.succeeded(self._clock.now()):
            log.info("poll.recovered", server=self._session.board.name, collector=self.name)
        self._failures = 0
        if self._speaks_for_api:
            self._session.note(None)
        self._availability.succeeded()

    def _failed(self, error: TargetError, *, reached: bool) -> TargetError:
        self._failures += 1
        self._own_failure = reached
        if self.health.failed(error):
            log.warning(
                "poll.failed",
                server=self._session.board.name,
                collector=self.name,
                reason=error.reason,
                error=str(error),
            )
        if reached and self._speaks_for_api:
            self._session.note(error)
        return error

    def _refused(self, error: Refusal) -> TargetError:
        if not self._availability.refused(error):
            return self._failed(error, reached=True)
        if self.health.switched_off(error):
            log.info(
                "poll.disabled",
                server=self._session.board.name,
                collector=self.name,
                status=status_of(error).value,
                error=str(error),
            )
        self._failures = 0
        if self._speaks_for_api:
            self._session.note(TargetForbidden(str(error)))
        return error
