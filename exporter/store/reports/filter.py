"""Filters on reports, as SQL conditions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

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

    def routes(self, servers: Sequence[str], *, most: int, without: Collection[ReportKind] = ()) -> Iterator[Route]:
        """
        Yield the ways to the *most* reports that ended last, each by an index; a report may come more than once.

        *servers* are those with reports, for a filter without a server; no report of the kinds *without* matches.
        """
        kinds = [kind for kind in ReportKind if self.kind in (None, kind) and self._can_match(kind)]
        kinds = [kind for kind in kinds if kind not in without]
        if self.domain is not None:
            rest, values = replace(self, domain=None).condition()
            for kind in kinds:
                yield _route(*_OF_DOMAIN[kind is ReportKind.DMARC], [self.domain, kind.value], rest, values, most)
            if ReportKind.TLS in kinds:
                yield _route(*_OF_TLS_POLICY, [self.domain], rest, values, most)
            return
        for server in servers if self.server is None else (self.server,):
            rest, values = replace(self, server=None).condition()
            for kind in kinds:
                yield _route(*_OF_SERVER[kind is ReportKind.DMARC], [server, kind.value], rest, values, most)

    def _can_match(self, kind: ReportKind) -> bool:
        return kind is ReportKind.ARF or self.result is None or self.result in (*PASSED, *FAILED)


class Route(NamedTuple):
    """A way to the wanted reports, those that ended last first."""

    sql: str
    parameters: Sequence[object]


# A partial index is used only if its condition is repeated as it stands.
_OF_DOMAIN = {
    True: ("report INDEXED BY report_domain", "report.domain = ? AND report.kind = ?"),
    False: (
        "report INDEXED BY report_other_domain",
        "report.domain = ? AND report.kind = ? AND report.kind <> 'dmarc'",
    ),
}
_OF_SERVER = {
    True: ("report INDEXED BY report_dmarc_ends", "report.server = ? AND report.kind = ? AND report.kind = 'dmarc'"),
    False: (
        "report INDEXED BY report_other_ends",
        "report.server = ? AND report.kind = ? AND report.kind <> 'dmarc'",
    ),
}
_OF_TLS_POLICY = (
    "tls_policy AS p INDEXED BY tls_policy_domain CROSS JOIN report ON report.id = p.report",
    "p.domain = ?",
)


def _route(tables: str, found_by: str, keys: Sequence[object], rest: str, values: Sequence[object], most: int) -> Route:
    sql = f"SELECT report.* FROM {tables} WHERE {found_by} AND {rest} ORDER BY report.ends_at DESC LIMIT ?"  # noqa: S608 - our own words
    return Route(sql, [*keys, *values, most])


_DOMAIN = (
    "report.id IN (SELECT id FROM report WHERE domain = ? UNION ALL SELECT report FROM tls_policy WHERE domain = ?)"
)


def _of_result(result: str) -> tuple[str, list[object]]:
    if result in PASSED:
        return "report.passed > 0", []
    if result in FAILED:
        return "report.failed > 0 AND report.kind <> 'arf'", []
    return "report.id IN (SELECT report FROM arf_feedback WHERE feedback_type = ?)", [result]
