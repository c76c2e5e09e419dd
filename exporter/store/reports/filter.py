"""Filters on reports, as SQL conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from exporter.model.report_words import FeedbackType, ReportKind

PASSED, FAILED = ("aligned", "success", "pass"), ("failed", "failure", "fail")
RESULTS = (*PASSED, *FAILED, *(word.value for word in FeedbackType))
"""Values of the result filter: reports with messages or sessions that passed or failed, or a feedback type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportFilter:
    """
    Conditions that a report must all meet; ``None`` matches everything.

    Attributes:
        domain: Domain as stored, of the policy or of the feedback.
        reporter: Part of the reporter's name, case-insensitive.
        since: Earliest end of the report, inclusive.
        until: Latest end of the report, exclusive.
        result: One of `RESULTS`.
    """

    server: str | None = None
    domain: str | None = None
    kind: ReportKind | None = None
    reporter: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    result: str | None = None

    def condition(self) -> tuple[str, list[object]]:
        """Return an SQL expression on ``report`` and its parameters."""
        parts: list[tuple[str, list[object]]] = []
        if self.server is not None:
            parts.append(("report.server = ?", [self.server]))
        if self.kind is not None:
            parts.append(("report.kind = ?", [self.kind.value]))
        if self.domain is not None:
            parts.append((_DOMAIN, [self.domain, self.domain]))
        if self.reporter is not None:
            parts.append(("instr(lower(report.reporter), lower(?)) > 0", [self.reporter]))
        if self.since is not None:
            parts.append(("report.ends_at >= ?", [int(self.since.timestamp())]))
        if self.until is not None:
            parts.append(("report.ends_at < ?", [int(self.until.timestamp())]))
        if self.result is not None:
            parts.append(_of_result(self.result))
        sql = " AND ".join(part for part, _ in parts) or "1"
        return sql, [value for _, values in parts for value in values]


_DOMAIN = (
    "report.id IN (SELECT id FROM report WHERE domain = ? UNION ALL SELECT report FROM tls_policy WHERE domain = ?)"
)


def _of_result(result: str) -> tuple[str, list[object]]:
    if result in PASSED:
        return "report.passed > 0", []
    if result in FAILED:
        return "report.failed > 0 AND report.kind <> 'arf'", []
    return "report.id IN (SELECT report FROM arf_feedback WHERE feedback_type = ?)", [result]
