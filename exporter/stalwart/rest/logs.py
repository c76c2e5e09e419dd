"""
Parsing of the management API's log responses.

Contract: Stalwart v0.10-v0.15, ``GET /api/logs``, newest first; tests/recordings/rest-0.12.5 and rest-0.15.5. The
``total`` beside the lines is the number of lines read from the files for the response, including those that the server
could not parse and those of earlier pages, plus ``limit`` if the log continues.
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
    The lines of one response, newest first.

    Attributes:
        total: As the server reports it; 0 if it does not.
    """

    lines: Sequence[LogLine]
    total: int

    def lines_read(self, *, before: int, limit: int) -> int:
        """
        Return the number of lines in the files, counted from the newest, up to the end of this response.

        *before* is the number that the request skipped. If the response is ambiguous, the lower number is returned.
        """
        at_least = before + len(self.lines)
        if len(self.lines) == limit and self.total - limit >= at_least:
            return self.total - limit
        return max(self.total, at_least)


def parse_log_answer(body: bytes) -> LogAnswer:
    """Parse one response. Raises `PayloadError` with the path of the faulty member."""
    data = decode_response(_decoder, body).data
    return LogAnswer(parse_log_lines(data.items, "data.items"), data.total if isinstance(data.total, int) else 0)
