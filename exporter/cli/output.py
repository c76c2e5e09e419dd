"""Terminal output: one console for results, one for errors, with untrusted text sanitised."""

from __future__ import annotations

import os
import sys

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exporter.printable import harmless, printable

PIPE_WIDTH = 1000
"""Width if another program reads the output and COLUMNS is not set: no table cell is folded or cut."""

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


def complain(text: str) -> None:
    """Print one error line to standard error."""
    problems.print(Text(harmless(text, _COMPLAINT_LENGTH)), soft_wrap=True)
