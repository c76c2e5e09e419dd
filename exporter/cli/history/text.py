"""
Formatting of reports, most of whose texts are untrusted.

On a terminal, texts are bounded, and free of control characters, direction marks and markup. JSON is pure ASCII, so it
can be printed anywhere.
"""

from __future__ import annotations

import sys
from typing import Literal

from rich.table import Table
from rich.text import Text

from exporter.domains import shown_domain
from exporter.history.texts import counted, dumped, number
from exporter.printable import harmless


def cell(value: object) -> Text:
    """Return a table cell, never interpreted as markup."""
    return Text("" if value is None else harmless(str(value)))


def domain_cell(name: str) -> Text:
    """Return a domain as a table cell, in Unicode if that is safe."""
    return cell(shown_domain(name))


def shown_of(shown: int, there: int, one: str, many: str = "") -> str:
    """Format ``7 reports``, or ``50 of 1 200 reports (--limit shows more)``."""
    if shown >= there:
        return counted(there, one, many)
    return f"{number(shown)} of {counted(there, one, many)} (--limit shows more)"


def table(*columns: str) -> Table:
    """Return an empty table; columns with the prefix ``#`` are numbers, and like those with ``=`` never folded."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        kind = column[:1] if column[:1] in ("#", "=") else ""
        justify: Literal["left", "right"] = "right" if kind == "#" else "left"
        made.add_column(column.removeprefix(kind), justify=justify, overflow="fold", no_wrap=bool(kind))
    return made


def facts() -> Table:
    """Return an empty table of names and values."""
    made = Table(box=None, pad_edge=False, show_header=False)
    made.add_column(no_wrap=True)
    made.add_column(overflow="fold")
    return made


def print_json(value: object) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(dumped(value) + "\n")
