"""The options shared by the report commands, parsed to values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from exporter.cli.history.options import refusing
from exporter.cli.reports.arguments import Given
from exporter.history.filters import Options, report_filter
from exporter.store.reports.filter import ReportFilter


def filter_of(given: Given, *, now: datetime) -> ReportFilter:
    """Return the filter; raises `typer.BadParameter`, which exits with status 2."""
    with refusing():
        return report_filter(Options(asdict(given), now=now, sign="--"))
