"""``/mail/export``: whole messages or refusals as a file, the same bytes as the command writes."""

from __future__ import annotations

from starlette.responses import Response

from exporter.history.exports import Exported
from exporter.history.filters import trail_filter
from exporter.history.trail_export import exported_messages, exported_refusals
from exporter.store.reading import History
from exporter.store.trail.reader import TrailReader
from exporter.web.pages.downloads import FORMAT, download, format_of
from exporter.web.pages.filters import options_of
from exporter.web.pages.mail.search import FILTERS
from exporter.web.pages.visit import Visit


async def export(visit: Visit) -> Response:
    """Return the file."""
    options = options_of(visit, *FILTERS, FORMAT)
    is_refused = options.is_set("refused")
    wanted, fmt = trail_filter(options, refused=is_refused), format_of(options)

    def exported(history: History) -> Exported:
        reader = TrailReader(history, only_domain=visit.only_domain)
        return exported_refusals(reader, wanted) if is_refused else exported_messages(reader, wanted, now=visit.now)

    return await download(visit, exported, name="refusals" if is_refused else "mail", fmt=fmt)
