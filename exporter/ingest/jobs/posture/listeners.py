"""The listeners of one server, once per interval, beside its domains."""

from __future__ import annotations

from exporter.checks.domains.run import CheckRun
from exporter.checks.tls.run import ListenerChecker
from exporter.clock import Clock
from exporter.errors import InternalError
from exporter.ingest.jobs.posture.results import Results
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.ingest.loops.guard import catching_bugs
from exporter.model.posture import CERTIFICATE_CHECKS, Check
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import ServedCertificates

EARLY = 0.9
"""A run may begin after this part of the interval; failed runs of the collector are repeated sooner."""


class ListenerRuns:
    """
    Checks the listeners with *checker*, publishes what they show and keeps the results; ``None`` does nothing.

    Attributes:
        found: There are listeners.
    """

    def __init__(
        self,
        board: ServerBoard,
        results: Results,
        checker: ListenerChecker | None,
        *,
        clock: Clock,
        interval_seconds: float,
        reraise_bugs: bool = False,
    ) -> None:
        self.found = False
        self._board = board
        self._results = results
        self._checker = checker
        self._clock = clock
        self._interval = interval_seconds
        self._reraise_bugs = reraise_bugs
        self._begun: float | None = None
        self._complete = False

    def _due(self) -> bool:
        return self._begun is None or self._clock.monotonic() - self._begun >= EARLY * self._interval

    def keeps(self, check: Check) -> bool:
        """Whether results of *check* are to be kept that this run of the collector has not renewed."""
        return self._checker is not None and check in CERTIFICATE_CHECKS and not self._complete

    async def check(self, run: CheckRun) -> None:
        """Check the listeners if they are due."""
        self._complete = False
        if self._checker is None or not self._due():
            return
        self._begun = self._clock.monotonic()
        inventory = self._board.inventory
        stored = () if inventory is None else inventory.certificates or ()
        work = self._checker.check(run, self._results.known(CERTIFICATE_CHECKS), stored)
        try:
            found = await catching_bugs(work, server=self._board.name, task="checks", reraise=self._reraise_bugs)
        except InternalError:
            return
        self._complete, self.found = True, bool(found)
        outcomes = [(one.listener, outcome) for one in found for outcome in one.outcomes]
        await self._results.note(outcome for _, outcome in outcomes)
        served = ServedCertificates(
            results={(listener, outcome.check): outcome.result for listener, outcome in outcomes},
            ends={one.listener: one.not_after for one in found if one.not_after is not None},
        )
        self._board.publish(Part.SERVED, served, fresh_seconds=fresh_seconds(self._interval))
