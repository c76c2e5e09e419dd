"""
Reads a log backwards, up to the lines that are already counted.

The newest lines are read in one response, with a higher limit each time until it reaches far enough: equal lines can
only be told apart by their number. What exceeds one response is read page by page in the same poll, as far as memory
and the request budget allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from exporter.errors import PayloadTooLarge
from exporter.ingest.counting.log_spool import LogSpool
from exporter.ingest.counting.log_turns import Junction
from exporter.model.delivery import LogLine, LogPage
from exporter.stalwart.client import StalwartClient

FIRST_LINES = 100
MAX_LINES = 20_000
"""The highest limit of one request."""

FEWEST_LINES = 1000
"""The lowest maximum for a server that times out on longer responses."""

GROWTH = 4

MAX_SPOOLED_BYTES = 32 * 1024 * 1024
"""Reading stops at this size: more than a million lines."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """
    The result of reading in one poll.

    Attributes:
        newest: The newest line; ``None`` without lines.
        oldest_at: Time of the oldest line; ``None`` without lines.
        unreadable: `LogPage.unreadable` of the page with the newest lines.
        newer_elsewhere: `LogPage.newer_elsewhere` of that page.
    """

    spool: LogSpool
    newest: LogLine | None
    oldest_at: datetime | None
    unreadable: int
    newer_elsewhere: datetime | None


class BackwardsReader:
    """Reads one server's log; *check* is called with each page and may raise to stop reading."""

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
        """Read back to *junction* and a little beyond it; *likely* is the number of lines to try first."""
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
        Return the newest lines, with a limit that is raised until the response reaches *junction*.

        A response shorter than its limit need not be the whole log: the server omits lines that it cannot parse. Two
        short responses in a row are taken as the whole log.
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
        """Return a limit that may fit into ``max_body_bytes``. Raises `PayloadTooLarge` if one line does not."""
        if limit <= 1:
            raise PayloadTooLarge("logs: one line is longer than max_body_bytes")
        self._most = max(1, limit // GROWTH)
        return self._most
