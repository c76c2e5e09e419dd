"""
Checks how a server's log is written, and whether it may be read.

Reading a log that contains our own responses makes it grow, so reading stops at once. Other problems are reported.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from exporter.errors import PayloadError, TargetUnsupported
from exporter.ingest.jobs.log_reading import LogReading
from exporter.model.delivery import LogLine, LogPage
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
"""How many intervals pass before a log that is not read is checked again."""

OWN_LINES = 3
"""This many of our own lines, or polls with such lines, show that the log records each of our requests."""

POLLS_WITHOUT = 3
"""After this many polls without such lines, it is a different log, or the server no longer writes it."""


class OwnLines:
    """
    Identifies log lines of our own requests: those of our account on an HTTP listener.

    The account is known from the credentials, or from the server (v0.16 on); the log may use only the part before
    ``@``.
    """

    def __init__(self, board: ServerBoard, account: str, port: int) -> None:
        self._board = board
        self._account = account
        self._port = port

    def wrote(self, line: LogLine) -> bool:
        """Return whether one of our own requests caused *line*."""
        if not line.account or not (line.listener.startswith("http") or line.local_port == self._port):
            return False
        told = self._board.identity.account if self._board.identity is not None else ""
        names = {name for full in (self._account, told) for name in (full, full.partition("@")[0])}
        return line.account.lower() in {name.lower() for name in names}


class LogWatch:
    """
    Checks one server's log.

    Attributes:
        stopped: Why the log is not read at present; ``None`` while it is.
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
        """Apply the result of a check. Raises `TargetUnsupported` if the log must not be read."""
        problem, self._newest = look
        if problem in (LogProblem.OWN_RESPONSES, LogProblem.ANSI):
            raise self._stop(problem)
        if self.stopped is not None:
            log.info("log.resumed", server=self._board.name, problem=self.stopped.value)
            self.stopped = None
        self._multiline = problem is LogProblem.MULTILINE
        self._show(problem)

    def check(self, page: LogPage) -> None:
        """Raise `TargetUnsupported` if no further page may be requested."""
        if quotes_responses(page, after=self._newest):
            raise self._stop(LogProblem.OWN_RESPONSES)
        if is_unreadable(page):
            raise self._stop(LogProblem.ANSI)

    def first_lines(self, lines: Sequence[LogLine]) -> None:
        """Detect from the lines at first contact whether the log records our requests."""
        self._newest = lines[0] if lines else None
        ours = [line.at for line in lines if self._own is not None and self._own.wrote(line)]
        if len(ours) >= OWN_LINES and (ours[0] - ours[OWN_LINES - 1]).total_seconds() <= OWN_LINES * self._interval:
            self._polls_with_own = OWN_LINES

    def conclude(self, reading: LogReading, new: int, ours: int, bare: bool | None) -> None:
        """
        Judge a poll with *new* new lines, *ours* of them ours; *bare*: `has_bare_lines` of the newest.

        Raises `TargetUnsupported` if the log must not be read for a while, `PayloadError` if its newest lines are
        missing.
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
        """Return whether a log that recorded each of our requests lacks the latest ones."""
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
