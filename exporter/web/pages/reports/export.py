"""``/reports/export``: whole reports as a file, the same bytes as the command writes."""

from __future__ import annotations

from starlette.responses import Response

from exporter.history.filters import report_filter
from exporter.history.report_export import exported_reports
from exporter.web.pages.downloads import FORMAT, download, format_of
from exporter.web.pages.filters import options_of
from exporter.web.pages.reports.overview import EXPORTED
from exporter.web.pages.visit import Visit


async def export(visit: Visit) -> Response:
    """Return the file."""
    options = options_of(visit, *EXPORTED, FORMAT)
    wanted, fmt = report_filter(options), format_of(options)
    return await download(visit, lambda history: exported_reports(history, wanted), name="reports", fmt=fmt)
