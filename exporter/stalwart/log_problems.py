"""
What keeps a server's log from being read, and how it shows.

Contract: Stalwart v0.10-v0.16. The tracer that writes the files decides: at level ``trace`` it logs every HTTP response
in full; with ``ansi`` most releases cannot parse a line of it; with ``multiline`` each detail stands on a line of its
own, which the API leaves out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from exporter.model.delivery import LogLine
from exporter.model.log import LogPage
from exporter.stalwart.client import StalwartClient

FEW_LINES = 20
"""Enough to see a response that was written a moment ago, few enough to add little to a log that holds it."""


class LogProblem(StrEnum):
    """Why a log is not read, or not in full."""

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
    What a look at a log has shown.

    Attributes:
        at: When its newest line was written; ``None`` if it has none.
    """

    problem: LogProblem | None
    at: datetime | None


async def look_at_log(client: StalwartClient) -> LogLook:
    """
    What is wrong with a server's log now, as far as two small requests show it. Raises a `TargetError`.

    The first leaves its response in the log if responses are logged at all, and the second looks for it.
    """
    before = await client.fetch_newest_log_lines(limit=FEW_LINES)
    page = await client.fetch_newest_log_lines(limit=FEW_LINES)
    since = before[0].at if before else None
    was_written_to = [line.fingerprint for line in before] != [line.fingerprint for line in page]
    if was_written_to and quotes_responses(page, since=since):
        return LogLook(LogProblem.OWN_RESPONSES, since)
    return LogLook(_problem_of(page), since)


def _problem_of(page: LogPage) -> LogProblem | None:
    if is_unreadable(page):
        return LogProblem.ANSI
    if page.newer_elsewhere is not None:
        return LogProblem.OUTDATED
    return LogProblem.MULTILINE if has_bare_lines(page) else None


def quotes_responses(lines: Iterable[LogLine], *, since: datetime | None) -> bool:
    """Whether an HTTP response was logged in full at or after *since* (``None``: at any time)."""
    return any(line.quotes_response and (since is None or line.at >= since) for line in lines)


def is_unreadable(page: LogPage) -> bool:
    """Whether the log has lines, and the server could parse none of them."""
    return not page.lines and page.unreadable > 0


def has_bare_lines(lines: Iterable[LogLine]) -> bool | None:
    """Whether the newest of *lines* that should have details has none; ``None`` if there is no such line."""
    for line in lines:
        if line.is_bare:
            return True
        if line.delivery is not None or line.account:
            return False
    return None
