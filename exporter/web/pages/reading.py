"""The history of a visit, and what is not in it."""

from __future__ import annotations

from starlette.responses import Response

from exporter.errors import StoreError
from exporter.store.reader import HistoryReader
from exporter.web.pages.base import respond
from exporter.web.pages.visit import Visit


def history_of(visit: Visit) -> HistoryReader:
    """Return the reader of the history. Raises `StoreError` if there is none."""
    if visit.history is None:
        raise StoreError("there is no history file: set store.path")
    return visit.history


def nothing_here(visit: Visit, text: str, *, section: str) -> Response:
    """Return a page with status 404 that says what is missing."""
    return respond(
        visit, "message.html", title="Nothing is known of this", section=section, status=404, kind="wait", text=text
    )
