"""
Settings of a server that make its log unreadable, and how to recognise them.

Contract: Stalwart v0.10-v0.16. The settings are those of the tracer that writes the files: at level ``trace`` it logs
every HTTP response in full; with ``ansi`` most releases cannot parse their own lines; with ``multiline`` each detail is
on its own line, which the API leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

from exporter.model.delivery import LogLine, LogPage
from exporter.stalwart.client import StalwartClient

FEW_LINES = 20
"""Enough to include a response just logged, and few enough that logging this page adds little."""

LAST_LINES = 8
"""The same if responses were logged before; more lines than a request adds before the log is read."""

SMALL_REQUESTS = 3
"""Enough requests to write more than `LAST_LINES`, so that no earlier look is among those lines."""


class LogProblem(StrEnum):
    """A reason why a log is not read, or not in full."""

    OWN_RESPONSES = "own_responses"
    ANSI = "ansi"
    MULTILINE = "multiline"
    OUTDATED = "outdated"


LOG_PROBLEM_WORDS: Mapping[LogProblem, str] = {
    LogProblem.OWN_RESPONSES: (
        "The server logs full HTTP responses (tracer level trace), including those to the exporter: each poll would "
        "double the log. It is not read; set the tracer that writes files to level info or debug."
    ),
    LogProblem.ANSI: (
        "The server cannot parse its own log, probably because it is written with colours: set ansi = false in the "
        "tracer that writes files. Until then no log lines are counted."
    ),
    LogProblem.MULTILINE: (
        "The log has each field on its own line, which the server's API omits: deliveries are counted "
        "without domain, reason and code, and the exporter's own requests are counted too. Set multiline = false in "
        "the tracer that writes files."
    ),
    LogProblem.OUTDATED: (
        "The newest line that the server finds is older than the exporter's last requests: a copy in the same "
        "directory whose name sorts after the log (stalwart.log.2026-01-15.1) hides it. Move the copy to another "
        "directory."
    ),
}


class LogLook(NamedTuple):
    """
    The result of a look at a log.

    Attributes:
        newest: The newest line before the look; ``None`` if the log had none.
    """

    problem: LogProblem | None
    newest: LogLine | None


async def look_at_log(client: StalwartClient, *, again: bool = False) -> LogLook:
    """
    Look for a problem with a server's log, using small requests. Raises a `TargetError`.

    If responses are logged, the first request's response is in the log that the second one reads. *again*: the log
    contained responses at the last look; then a look must not read an earlier one's lines, which would be logged once
    more and multiply each time.
    """
    if again:
        for _ in range(SMALL_REQUESTS):
            await client.send_small_request()
    before = await client.fetch_newest_log_lines(limit=1 if again else FEW_LINES)
    page = await client.fetch_newest_log_lines(limit=LAST_LINES if again else FEW_LINES)
    newest = before[0] if before else None
    if quotes_responses(page, after=newest):
        return LogLook(LogProblem.OWN_RESPONSES, newest)
    return LogLook(_problem_of(page), newest)


def _problem_of(page: LogPage) -> LogProblem | None:
    if is_unreadable(page):
        return LogProblem.ANSI
    if page.newer_elsewhere is not None:
        return LogProblem.OUTDATED
    return LogProblem.MULTILINE if has_bare_lines(page) else None


def quotes_responses(lines: Sequence[LogLine], *, after: LogLine | None) -> bool:
    """
    Whether one of a log's newest *lines* that is newer than *after* (``None``: any of them) contains an HTTP response.

    Requests within one second may write equal lines; the oldest of them is taken as *after*.
    """
    if after is not None:
        lines = [line for line in lines if line.at >= after.at]
        known = [number for number, line in enumerate(lines) if line.fingerprint == after.fingerprint]
        lines = lines[: known[-1]] if known else lines
    return any(line.quotes_response for line in lines)


def is_unreadable(page: LogPage) -> bool:
    """Whether the log has lines but the server could parse none of them."""
    return not page.lines and page.unreadable > 0


def has_bare_lines(lines: Iterable[LogLine]) -> bool | None:
    """Whether the newest of *lines* that should have details lacks them; ``None`` if there is no such line."""
    for line in lines:
        if line.is_bare:
            return True
        if line.delivery is not None or line.account:
            return False
    return None
