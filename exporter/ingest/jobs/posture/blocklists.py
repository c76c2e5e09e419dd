"""The blocklists of one server's addresses, each asked once per hour at most, across restarts."""

from __future__ import annotations

from exporter.checks.blocklists.run import REPEAT_SECONDS, BlocklistChecker
from exporter.checks.domains.run import CheckRun
from exporter.clock import Clock
from exporter.errors import InternalError
from exporter.ingest.jobs.posture.results import Results
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.ingest.loops.guard import catching_bugs
from exporter.model.outside import Entry, entry_of
from exporter.model.posture import Check, CheckOutcome, CheckResult
from exporter.state.board import Part, ServerBoard
from exporter.state.posture import BlocklistEntries

WAIT_SECONDS = 120.0
"""A run that begins this much too early waits, so that hourly runs ask every hour."""


class BlocklistRuns:
    """
    Looks for the addresses with *checker*, publishes and keeps the results; ``None`` does nothing.

    *configured* says that the operator has named the addresses.
    """

    def __init__(
        self,
        board: ServerBoard,
        results: Results,
        checker: BlocklistChecker | None,
        *,
        configured: bool,
        clock: Clock,
        interval_seconds: float,
        reraise_bugs: bool = False,
    ) -> None:
        self._board = board
        self._results = results
        self._checker = checker
        self._configured = configured
        self._clock = clock
        self._fresh_seconds = fresh_seconds(max(interval_seconds, REPEAT_SECONDS))
        self._reraise_bugs = reraise_bugs
        self._kept: frozenset[str] = frozenset()

    @property
    def found(self) -> bool:
        """Whether there are addresses to look for."""
        return bool(self._kept)

    def keeps(self, subject: str, check: Check) -> bool:
        """Whether a result of an earlier run is to be kept."""
        return check is Check.BLOCKLISTS and subject in self._kept

    async def check(self, run: CheckRun) -> None:
        """Ask for the entries that are due."""
        if self._checker is None:
            self._kept = frozenset()
            return
        work = self._check(run, self._checker)
        try:
            await catching_bugs(work, server=self._board.name, task="checks", reraise=self._reraise_bugs)
        except InternalError:
            self._kept = frozenset(self._results.of(Check.BLOCKLISTS))
            return
        self._publish()

    async def _check(self, run: CheckRun, checker: BlocklistChecker) -> None:
        addresses = run.ours.addresses
        if addresses.failed:
            self._kept = frozenset(self._results.of(Check.BLOCKLISTS))
            await self._results.note(_unknown(subject, addresses.why) for subject in self._kept)
            return
        entries = checker.entries(run, configured=self._configured)
        self._kept = frozenset(entry.subject for entry in entries)
        early = min((self._early(entry) for entry in entries), default=0.0)
        if 0.0 < early <= WAIT_SECONDS:
            await self._clock.sleep(early)
        due = [entry for entry in entries if self._early(entry) <= 0.0]
        await self._results.note(await checker.check(run, due))
        await self._results.save()

    def _early(self, entry: Entry) -> float:
        """Return in how many seconds an entry may be asked for; not positive if it may be now."""
        asked_at = self._results.checked_at((entry.subject, Check.BLOCKLISTS))
        if asked_at is None:
            return 0.0
        passed = self._clock.now().timestamp() - asked_at
        # A time in the future: the clock was set back, and how long ago it was is not known.
        return REPEAT_SECONDS - passed if passed >= 0.0 else 0.0

    def _publish(self) -> None:
        held = self._results.of(Check.BLOCKLISTS)
        entries = {entry_of(subject): result for subject, result in held.items() if subject in self._kept}
        self._board.publish(Part.BLOCKLISTS, BlocklistEntries(entries), fresh_seconds=self._fresh_seconds)


def _unknown(subject: str, why: str) -> CheckOutcome:
    return CheckOutcome(domain=subject, check=Check.BLOCKLISTS, result=CheckResult.UNKNOWN, seen=(why,))
