"""Reports as a server lists and hands them over, readable or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exporter.model.report_words import ReportKind
from exporter.model.reports import Report


class IncomingReport(NamedTuple):
    """
    A report as a server gave it to us.

    Attributes:
        source_id: The server's id.
        received_at: When the server received it.
        raw: The answer it was read from, byte for byte.
        unknown: Values that we did not know, by field.
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
    A report that could not be read, or that has numbers nobody can have counted.

    Attributes:
        raw: The answer, byte for byte; empty if there was none to keep.
        reason: In words, with the path inside the answer; fit for a terminal.
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
        last: Whether there is nothing behind this page.
    """

    ids: Sequence[str]
    last: bool
