"""A request for a page, and what the page may use to answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from starlette.datastructures import QueryParams
from starlette.responses import Response

from exporter.store.reader import HistoryReader
from exporter.web.interfaces import StatusSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """
    One request for a page.

    Attributes:
        root: The relative path from the page to the exporter's root: ``./``, ``../``, ...; right also behind a proxy
            that adds a prefix.
        segments: The page's own path below the root, decoded, as the client wrote it.
        arguments: The values in the page's path, decoded, as the client wrote them.
        query: The values of the query, as the client wrote them.
        personal: Whether this client may see personal data.
        only_domain: The one domain whose mail this client may see; ``None``: all.
        source: The current state of all servers.
        history: ``None`` without a history.
        now: Aware, in UTC.
    """

    root: str
    segments: Sequence[str]
    arguments: Mapping[str, str]
    query: QueryParams
    personal: bool
    only_domain: str | None
    source: StatusSource
    history: HistoryReader | None
    now: datetime


class Page(Protocol):
    """Answers visits of one path."""

    async def __call__(self, visit: Visit) -> Response:
        """Return the page; `StoreError` and its kinds may be raised, and become a page with their message."""


def segments_of(path: str) -> Sequence[str]:
    """Return the segments of a request's decoded path; none for ``/``."""
    return path.removeprefix("/").split("/") if path != "/" else ()


def root_of(scope: Mapping[str, Any]) -> str:
    """Return the relative path from a request's path to ``/``."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return "../" * (raw.count(b"/") - 1) or "./"
