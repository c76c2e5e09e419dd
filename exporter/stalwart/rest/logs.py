"""
The server's log as the management API gives it.

Contract: Stalwart v0.10-v0.15, ``GET /api/logs``, newest first; tests/recordings/rest-0.12.5 and rest-0.15.5. The
``total`` beside the lines means nothing.
"""

from __future__ import annotations

import msgspec

from exporter.model.delivery import LogLine
from exporter.stalwart.answers import decode_answer
from exporter.stalwart.log_lines import read_log_lines


class _Line(msgspec.Struct, gc=False):
    timestamp: str
    level: str
    event_id: str
    details: str


class _Lines(msgspec.Struct):
    items: list[_Line]


class _Page(msgspec.Struct):
    data: _Lines


_decoder = msgspec.json.Decoder(_Page)


def parse_log_page(body: bytes) -> list[LogLine]:
    """The lines of one answer, newest first. Raises `PayloadError` with the path of what cannot be read."""
    return read_log_lines(decode_answer(_decoder, body).data.items, "data.items")
