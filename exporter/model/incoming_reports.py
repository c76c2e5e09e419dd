"""Received reports as a server lists and returns them, parsed or unreadable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exporter.model.report_words import ReportKind
from exporter.model.reports import Report


class IncomingReport(NamedTuple):
    """
    A report received from a server.

    Attributes:
        source_id: The server's id.
        received_at: When the server received it.
        raw: The response it was parsed from, byte for byte.
        unknown: The number of unknown values, by field.
    """

    kind: ReportKind
    source_id: str
    received_at: datetime
    raw: bytes
    content: Report
    unknown: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableReport:
    """
    A report that cannot be parsed, or that has impossible numbers.

    Attributes:
        raw: The response, byte for byte; empty if there is none to keep.
        reason: The error, with the path inside the response; safe for a terminal.
    """

    kind: ReportKind
    source_id: str
    received_at: datetime
    raw: bytes
    reason: str


Incoming = IncomingReport | UnreadableReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportIds:
    """
    One page of the server's list of reports.

    Attributes:
        ids: Newest first.
        last: Whether this is the last page.
    """

    ids: Sequence[str]
    last: bool
