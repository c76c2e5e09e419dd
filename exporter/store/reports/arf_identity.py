"""
Feedback reports that a server lists under a new id after an upgrade.

Feedback has no identity of its own: two equal reports in one list may be about different messages, and both count. If
one of two equal reports has an id from before the upgrade and the other from after it, they are the same report,
matched one to one. Feedback without an arrival time is not compared; its identity is the stable part of its id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from exporter.model.reports import ArfReport
from exporter.stalwart.common.report_ids import spelled_alike
from exporter.store.reports.rows import FEEDBACK_LISTS, feedback_row
from exporter.store.reports.texts import cut

MAX_DOMAINS = 50

RENAME = "UPDATE report SET identity = ?, source_id = ?, report_id = ? WHERE id = ?"

_EQUAL = """
    SELECT report.id, report.source_id, report.reporter, arf_feedback.*
    FROM report JOIN arf_feedback ON arf_feedback.report = report.id
    WHERE report.domain IN (SELECT value FROM json_each(?)) AND report.ends_at = ?
        AND report.server = ? AND report.kind = 'arf'
    ORDER BY report.id
"""


class Renamed(NamedTuple):
    """A report that is known under another id: the parameters of `RENAME`."""

    identity: bytes
    source_id: str
    report_id: str
    row: int


def renamed_query(server: str, content: ArfReport) -> tuple[str, Sequence[object]] | None:
    """Return the query for rows to check with `is_renamed`; ``None`` if *content* has no arrival time."""
    if content.arrived_at is None:
        return None
    domains = [cut(domain) for domain in content.domains[:MAX_DOMAINS]] or [""]
    return _EQUAL, (json.dumps(domains), int(content.arrived_at.timestamp()), server)


def is_renamed(row: Sequence[Any], source_id: str, content: ArfReport) -> bool:
    """Return whether *content* equals the report in *row*, whose id has a different format than *source_id*."""
    _, known_as, reporter, _, *stored = row
    same_words = reporter == cut(content.reporter) and not spelled_alike(known_as, source_id)
    return same_words and _comparable(stored) == _comparable(feedback_row(content))


def _comparable(row: Sequence[Any]) -> Sequence[Any]:
    """Convert the lists in a row to sets: later servers store them unordered."""
    columns = list(row)
    columns[FEEDBACK_LISTS] = [frozenset(json.loads(column)) for column in columns[FEEDBACK_LISTS]]
    return columns
