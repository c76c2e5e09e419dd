"""Terminal output: one console for results, one for errors, with untrusted text sanitised."""

from __future__ import annotations

import os
import sys
import unicodedata

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.printable import printable, shortened

PIPE_WIDTH = 1000
"""Width if another program reads the output and COLUMNS is not set: no table cell is folded or cut."""

SHOWN_LENGTH = 200
"""Maximum length of a text in a table; JSON output has the rest."""

MARKS_IN_A_ROW = 4
"""More combining marks on one letter would cover neighbouring lines."""

_COMPLAINT_LENGTH = 4000


def _width() -> int | None:
    return None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH


console = Console(highlight=False, width=_width())
problems = Console(stderr=True, highlight=False)


def print_whole(table: Table) -> None:
    """Print *table*; if another program reads it, one row per line, regardless of COLUMNS."""
    if not sys.stdout.isatty():
        console.width = PIPE_WIDTH
    console.print(table)


def plain(text: str) -> str:
    """Return untrusted text without control characters and markup."""
    return printable(text).replace("[", "\\[")


def harmless(text: str, length: int = SHOWN_LENGTH) -> str:
    """Return *text* safe for a terminal, with few combining marks, and at most *length* characters."""
    kept = []
    marks = 0
    for c in text[: 4 * length]:
        marks = marks + 1 if unicodedata.combining(c) else 0
        if marks <= MARKS_IN_A_ROW:
            kept.append(c)
    more = "…" if len(text) > 4 * length else ""
    return shortened(printable("".join(kept)) + more, length)


def complain(text: str) -> None:
    """Print one error line to standard error."""
    problems.print(Text(harmless(text, _COMPLAINT_LENGTH)), soft_wrap=True)
