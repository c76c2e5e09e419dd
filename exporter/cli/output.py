"""What people read: one console for tables and notes, one for trouble, with hostile text made harmless."""

from __future__ import annotations

import os
import sys
import unicodedata

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.printable import printable, shortened

PIPE_WIDTH = 1000
"""Columns where another program reads the output and COLUMNS is not set: no cell of a table is folded or cut."""

SHOWN_LENGTH = 200
"""Characters of a text in a table; the rest is in the JSON."""

MARKS_IN_A_ROW = 4
"""More combining marks on one letter are drawn over the neighbouring lines."""

_COMPLAINT_LENGTH = 4000


def _width() -> int | None:
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH


console = Console(highlight=False, width=_width())
problems = Console(stderr=True, highlight=False)


def print_whole(table: Table) -> None:
    """Print *table*; where another program reads it, a row is a line, whatever COLUMNS says."""
    if not sys.stdout.isatty():
        console.width = PIPE_WIDTH
    console.print(table)


def plain(text: str) -> str:
    """Text from elsewhere, without control characters and without markup."""
    return printable(text).replace("[", "\\[")


def harmless(text: str, length: int = SHOWN_LENGTH) -> str:
    """*text* fit for a terminal, without heaps of combining marks, and no more than *length* characters."""
    kept = []
    marks = 0
    for c in text[: 4 * length]:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= MARKS_IN_A_ROW:
            kept.append(c)
    more = "…" if len(text) > 4 * length else ""
    return shortened(printable("".join(kept)) + more, length)


def complain(text: str) -> None:
    """One line of trouble to standard error."""
    problems.print(Text(harmless(text, _COMPLAINT_LENGTH)), soft_wrap=True)
