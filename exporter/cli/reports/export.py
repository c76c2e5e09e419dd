"""``reports export``: whole reports for other programs."""

from __future__ import annotations

from pathlib import Path

from exporter.cli.history.export import export as write
from exporter.history.report_export import exported_reports
from exporter.store.reading import History
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.queries import count_reports


def export(connection: History, wanted: ReportFilter, *, fmt: str, output: Path | None) -> int:
    """Write all wanted reports in *fmt* to *output* or standard output."""
    total = count_reports(connection, wanted)
    return write(exported_reports(connection, wanted), fmt=fmt, output=output, total=total)
