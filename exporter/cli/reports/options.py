"""The options shared by the report commands, parsed to values."""

from __future__ import annotations

from datetime import datetime

from exporter.cli.history.options import domain_of, moment_of, one_of
from exporter.cli.reports.arguments import Given
from exporter.model.report_words import ReportKind
from exporter.store.reports.filter import RESULTS, ReportFilter


def filter_of(given: Given, *, now: datetime) -> ReportFilter:
    """Return the filter; raises `typer.BadParameter`, which exits with status 2."""
    return ReportFilter(
        server=given.server,
        domain=None if given.domain is None else domain_of("--domain", given.domain),
        kind=None if given.kind is None else ReportKind(one_of("--kind", given.kind, [*ReportKind])),
        reporter=given.reporter,
        since=None if given.since is None else moment_of("--since", given.since, now=now),
        until=None if given.until is None else moment_of("--until", given.until, now=now),
        result=None if given.result is None else one_of("--result", given.result, RESULTS),
    )
