"""
The server's log as the management API gives it.

Contract: Stalwart v0.10-v0.15, ``GET /api/logs``, newest first; tests/recordings/rest-0.12.5 and rest-0.15.5. The
``total`` beside the lines is the number of lines of the files that were read for the answer, those that the server
could not parse and those of the pages before included, plus ``limit`` if the log goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from exporter.model.delivery import LogLine
from exporter.stalwart.events.log_lines import parse_log_lines
from exporter.stalwart.http.responses import decode_response


class _Line(msgspec.Struct, gc=False):
    timestamp: str
    level: str
    event_id: str
    details: str


class _Lines(msgspec.Struct):
    items: list[_Line]
    total: Any = 0


class _Page(msgspec.Struct):
    data: _Lines


_decoder = msgspec.json.Decoder(_Page)


class LogAnswer(NamedTuple):
    """
    The lines of one answer, newest first.

    Attributes:
        total: As the server reports it; 0 if it does not.
    """

    lines: Sequence[LogLine]
    total: int

    def lines_read(self, *, before: int, limit: int) -> int:
        """
        How many lines of the files, counted from the newest, end with this answer.

        *before* is how many the request skipped. What cannot be told apart is taken for fewer.
        """
        at_least = before + len(self.lines)
        if len(self.lines) == limit and self.total - limit >= at_least:
            return self.total - limit
        return max(self.total, at_least)


def parse_log_answer(body: bytes) -> LogAnswer:
    """One answer. Raises `PayloadError` with the path of what cannot be read."""
    data = decode_response(_decoder, body).data
    return LogAnswer(parse_log_lines(data.items, "data.items"), data.total if isinstance(data.total, int) else 0)
