"""
What a server's log shows about how it is written, and whether it may be read on.

Reading a log that holds our own responses makes it grow, so that ends at once. Everything else is reported.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from exporter.errors import PayloadError, TargetUnsupported
from exporter.ingest.jobs.log_reading import LogReading
from exporter.model.delivery import LogLine
from exporter.model.log import LogPage
from exporter.model.server import ServerIdentity
from exporter.stalwart.log_problems import (
    LOG_PROBLEM_WORDS,
    LogLook,
    LogProblem,
    is_unreadable,
    quotes_responses,
)
from exporter.state.board import ServerBoard

log = structlog.get_logger("exporter.logs")

LOOK_AGAIN_INTERVALS = 10
"""How many intervals a log that is not read is left alone."""

OWN_LINES = 3
"""So many lines of ours, or polls that brought some, show that the log has a line about each of our requests."""

POLLS_WITHOUT = 3
"""So many polls without any show that it is another log, or none any more."""


class OwnLines:
    """
    Which lines our own requests wrote: those of our account on an HTTP listener.

    The account is known from the credentials, or from what the server calls us (v0.16 on); its log may name us by the
    part before the ``@``.
    """

    def __init__(self, board: ServerBoard, account: str, port: int) -> None:
        self._board = board
        self._account = account
        self._port = port

    def wrote(self, line: LogLine) -> bool:
        """Whether *line* tells of us."""
        if not line.account or not (line.listener.startswith("http") or line.local_port == self._port):
            return False
        told = self._board.identity.account if self._board.identity is not None else ""
        names = {name for full in (self._account, told) for name in (full, full.partition("@")[0])}
        return line.account.lower() in {name.lower() for name in names}


class LogWatch:
    """
    Judges one server's log.

    Attributes:
        stopped: Why it is not read at present.
    """

    def __init__(self, board: ServerBoard, own: OwnLines | None, *, interval_seconds: float) -> None:
        self.stopped: LogProblem | None = None
        self._board = board
        self._own = own
        self._interval = interval_seconds
        self._newest: LogLine | None = None
        self._multiline = False
        self._unreadable = 0
        self._polls_with_own = 0
        self._polls_without_own = 0
        self._server: ServerIdentity | None = None

    def looked(self, look: LogLook) -> None:
        """Takes up what a look at the log has found. Raises `TargetUnsupported` if it is not to be read."""
        problem, self._newest = look
        if problem in (LogProblem.OWN_RESPONSES, LogProblem.ANSI):
            raise self._stop(problem)
        if self.stopped is not None:
            log.info("log.resumed", server=self._board.name, problem=self.stopped.value)
            self.stopped = None
        self._multiline = problem is LogProblem.MULTILINE
        self._show(problem)

    def check(self, page: LogPage) -> None:
        """Raises `TargetUnsupported` if no further page is to be asked for."""
        if quotes_responses(page, after=self._newest):
            raise self._stop(LogProblem.OWN_RESPONSES)
        if is_unreadable(page):
            raise self._stop(LogProblem.ANSI)

    def first_lines(self, lines: Sequence[LogLine]) -> None:
        """Learns from lines that are history whether our requests are logged."""
        self._newest = lines[0] if lines else None
        ours = [line.at for line in lines if self._own is not None and self._own.wrote(line)]
        if len(ours) >= OWN_LINES and (ours[0] - ours[OWN_LINES - 1]).total_seconds() <= OWN_LINES * self._interval:
            self._polls_with_own = OWN_LINES

    def conclude(self, reading: LogReading, new: int, ours: int, bare: bool | None) -> None:
        """
        Judges a poll that brought *new* lines, *ours* of them about us, some of them perhaps *bare*.

        Raises `TargetUnsupported` if the log is not to be read again soon, `PayloadError` if its end is not in sight.
        """
        self._newest = reading.newest or self._newest
        self._multiline = self._multiline if bare is None else bare
        unreadable, self._unreadable = reading.unreadable - self._unreadable, reading.unreadable
        outdated = self._misses_own_lines(ours) or reading.newer_elsewhere is not None
        if not new and not self._multiline and reading.unreadable and (unreadable > 0 or outdated):
            raise self._stop(LogProblem.ANSI)
        if outdated:
            self._show(LogProblem.OUTDATED)
            at = f"{reading.newest.at:%Y-%m-%dT%H:%M:%SZ}: " if reading.newest is not None else ""
            raise PayloadError(f"logs: {at}{LOG_PROBLEM_WORDS[LogProblem.OUTDATED]}")
        self._show(LogProblem.MULTILINE if self._multiline else None)

    def _misses_own_lines(self, ours: int) -> bool:
        """Whether a log that had a line about each of our requests has none about the last ones."""
        if self._is_another_server():
            self._polls_with_own = self._polls_without_own = 0
        if ours:
            self._polls_with_own, self._polls_without_own = self._polls_with_own + 1, 0
        else:
            self._polls_without_own += 1
            if self._polls_with_own < OWN_LINES:
                self._polls_with_own = 0
        return self._polls_with_own >= OWN_LINES and self._polls_without_own >= POLLS_WITHOUT

    def _is_another_server(self) -> bool:
        """Return whether the server was upgraded or replaced since the last call; learning its version is neither."""
        before, now = self._server, self._board.identity
        self._server = now if now is not None else before
        if before is None or now is None:
            return False
        return before.generation is not now.generation or bool(
            before.version and now.version and before.version != now.version
        )

    def _stop(self, problem: LogProblem) -> TargetUnsupported:
        words = LOG_PROBLEM_WORDS[problem]
        if self.stopped is not problem:
            log.warning("log.stopped", server=self._board.name, problem=problem.value, reason=words)
        self.stopped = problem
        self._polls_with_own = self._polls_without_own = self._unreadable = 0
        self._show(problem)
        return TargetUnsupported(
            f"logs: {words}", status="not_configured", again_seconds=LOOK_AGAIN_INTERVALS * self._interval
        )

    def _show(self, problem: LogProblem | None) -> None:
        shown = self._board.log_problem
        if problem is shown and self._board.log_looked_at:
            return
        if problem is not None and problem is not shown and problem is not self.stopped:
            log.warning(
                "log.impaired", server=self._board.name, problem=problem.value, reason=LOG_PROBLEM_WORDS[problem]
            )
        self._board.show_log_problem(problem)
