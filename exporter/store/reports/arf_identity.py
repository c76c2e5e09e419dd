"""
Feedback that a server lists under a new id once it is upgraded.

Feedback has no identity of its own: of two equal ones in one list each may be about a message of its own, and counts.
Equal ones of which the one is named as before the upgrade and the other as after it are one, each for each. Feedback
that does not tell when its message arrived says too little for that, and goes by what lasts in its id.
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
    """A report that is known by another name: the parameters of `RENAME`."""

    identity: bytes
    source_id: str
    report_id: str
    row: int


def renamed_query(server: str, content: ArfReport) -> tuple[str, Sequence[object]] | None:
    """What finds the rows that `is_renamed` wants to see; ``None`` if *content* says too little."""
    if content.arrived_at is None:
        return None
    domains = [cut(domain) for domain in content.domains[:MAX_DOMAINS]] or [""]
    return _EQUAL, (json.dumps(domains), int(content.arrived_at.timestamp()), server)


def is_renamed(row: Sequence[Any], source_id: str, content: ArfReport) -> bool:
    """Whether *content* is what stands in *row*, under an id that is not spelled like *source_id*."""
    _, known_as, reporter, _, *stored = row
    same_words = reporter == cut(content.reporter) and not spelled_alike(known_as, source_id)
    return same_words and _comparable(stored) == _comparable(feedback_row(content))


def _comparable(row: Sequence[Any]) -> Sequence[Any]:
    """A row in which lists, which later servers keep as sets, are sets."""
    columns = list(row)
    columns[FEEDBACK_LISTS] = [frozenset(json.loads(column)) for column in columns[FEEDBACK_LISTS]]
    return columns
