"""The filters in a page's address: the options of the commands, by the same names and with the same values."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.errors import FilterError
from exporter.history.filters import Options
from exporter.web.pages.base import REFRESH
from exporter.web.pages.visit import Visit

LONGEST = 1000
"""Characters of one value; no name, address or id has more."""


def options_of(visit: Visit, *names: str) -> Options:
    """
    Return the options *names* of a page; an empty field of a form counts as missing.

    Raises `FilterError` for any other name, so that a misspelled filter does not show everything.
    """
    if not visit.query.keys() <= {*names, REFRESH}:
        raise FilterError(f"The filters of this page are: {', '.join(names)}")
    return Options({name: _only(visit, name) for name in names}, now=visit.now)


def _only(visit: Visit, name: str) -> str | None:
    values = visit.query.getlist(name)
    if len(values) > 1:
        raise FilterError(f"{name}: given more than once")
    text = values[0].strip() if values else ""
    if len(text) > LONGEST:
        raise FilterError(f"{name}: longer than {LONGEST} characters")
    return text or None


def given_of(options: Options, *, without: tuple[str, ...] = (), **more: str | None) -> Mapping[str, str]:
    """Return the options that were given, for the address of another page; *more* replaces some of them."""
    given = {**options.given, **more}
    return {name: text for name, text in given.items() if text is not None and name not in without}
