"""The table of the pages; each one is imported at its first visit, since scrapes need none of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.web.pages.visit import Page


@dataclass(frozen=True, slots=True)
class PageRoute:
    """
    A page.

    Attributes:
        path: As in Starlette: ``{name}`` takes one segment.
        load: Imports and returns the page.
        personal: Whether it shows personal data, and therefore needs a login or loopback.
    """

    path: str
    load: Callable[[], Page]
    personal: bool = False


def _overview() -> Page:
    from exporter.web.pages.overview.page import overview

    return overview


PAGES = (PageRoute("/", _overview),)
