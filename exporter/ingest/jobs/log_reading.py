"""
Reads a log backwards, as far as what is counted already.

The newest lines are read in one answer, and more of them in a longer one until that reaches far enough: equal lines
are told apart by how many there are. What is too long for one answer is read on page by page, at once and as far as
memory and the budget of requests allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from exporter.errors import PayloadTooLarge
from exporter.ingest.counting.log_spool import LogSpool
from exporter.ingest.counting.log_turns import Junction
from exporter.model.delivery import LogLine
from exporter.model.log import LogPage
from exporter.stalwart.client import StalwartClient

FIRST_LINES = 100
MAX_LINES = 20_000
"""The longest answer asked for."""

FEWEST_LINES = 1000
"""The longest answer asked of a server that does not manage longer ones in time."""

GROWTH = 4

MAX_SPOOLED_BYTES = 32 * 1024 * 1024
"""Beyond this a reading ends: more than a million lines."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """
    What one poll has read.

    Attributes:
        newest: The newest line; ``None`` without lines.
        oldest_at: When the oldest line was written; ``None`` without lines.
        unreadable: As in the page with the newest lines.
        newer_elsewhere: As in that page.
    """

    spool: LogSpool
    newest: LogLine | None
    oldest_at: datetime | None
    unreadable: int
    newer_elsewhere: datetime | None


class BackwardsReader:
    """Reads one server's log; *check* is called with each page and may raise to end it."""

    def __init__(
        self,
        client: StalwartClient,
        check: Callable[[LogPage], None],
        *,
        most_lines: int = MAX_LINES,
        most_bytes: int = MAX_SPOOLED_BYTES,
    ) -> None:
        self._most_bytes = most_bytes
        self._client = client
        self._check = check
        self._most = most_lines

    async def read(self, junction: Junction, *, likely: int) -> LogReading:
        """Everything back to *junction*, and some of what is before it; *likely* lines suffice for it, probably."""
        page = await self._newest(junction, likely)
        newest, oldest_at = (page[0], page[-1].at) if page else (None, None)
        unreadable, newer_elsewhere = page.unreadable, page.newer_elsewhere
        spool = LogSpool()
        await spool.add(page.lines)
        while page and not page.ended and not junction.reached and spool.size_bytes < self._most_bytes:
            page = junction.take(await self._older(page))
            if page:
                await spool.add(page.lines)
                oldest_at = page[-1].at
        return LogReading(spool, newest, oldest_at, unreadable, newer_elsewhere)

    async def _newest(self, junction: Junction, likely: int) -> LogPage:
        """
        The longest answer that is needed.

        A short answer need not be the whole log: lines that the server cannot parse are left out of it. Two in a row
        are taken for it.
        """
        limit, was_short = min(likely, self._most), junction.horizon is None
        while True:
            try:
                page = await self._client.fetch_newest_log_lines(limit=limit)
            except PayloadTooLarge:
                limit = self._smaller(limit)
                continue
            self._check(page)
            short = len(page) < limit
            junction.begin()
            page = junction.take(page)
            if junction.reached or (short and was_short) or (limit >= self._most and not short):
                return page
            was_short = short
            limit = min(self._most, limit * GROWTH)

    async def _older(self, page: LogPage) -> LogPage:
        while True:
            try:
                older = await self._client.fetch_older_log_lines(page, limit=self._most)
            except PayloadTooLarge:
                self._smaller(self._most)
                continue
            self._check(older)
            return older

    def _smaller(self, limit: int) -> int:
        """A limit whose answer may fit into what we take. Raises `PayloadTooLarge` where one line does not."""
        if limit <= 1:
            raise PayloadTooLarge("logs: one line is longer than max_body_bytes")
        self._most = max(1, limit // GROWTH)
        return self._most
