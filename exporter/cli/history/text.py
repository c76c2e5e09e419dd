"""
Formatting of reports, most of whose texts are untrusted.

On a terminal, texts are bounded, and free of control characters, direction marks and markup. JSON is pure ASCII, so it
can be printed anywhere.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from exporter.cli.output import harmless
from exporter.clock import rfc3339
from exporter.domains import shown_domain


def cell(value: object) -> Text:
    """Return a table cell, never interpreted as markup."""
    return Text("" if value is None else harmless(str(value)))


def domain_cell(name: str) -> Text:
    """Return a domain as a table cell, in Unicode if that is safe."""
    return cell(shown_domain(name))


def day(seconds: int) -> str:
    """Format a day: ``2026-11-21`` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def stamp(seconds: int) -> str:
    """Format a time: ``2026-11-21T10:00:00Z``."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def minute(seconds: int) -> str:
    """Format a time to the minute: ``2026-11-21 10:00`` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def moment(at: datetime) -> str:
    """Format a time to the second: ``2026-11-21 10:00:00`` in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def number(count: int) -> str:
    """Format a number with digits in groups of three."""
    return f"{count:,}".replace(",", " ")


def share(part: int, whole: int) -> str:
    """Format a percentage that is 100 % or 0 % only if exact; empty if *whole* is 0."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if part not in (0, whole):
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"


def counted(count: int, one: str, many: str = "") -> str:
    """Format a number and its noun: ``1 report``, ``2 reports``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


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


def dumped(value: object, *, indent: int | None = 2) -> str:
    """Return JSON in ASCII; fields whose name ends in ``_at`` are formatted as RFC 3339."""
    return json.dumps(_with_moments(value), indent=indent, ensure_ascii=True)


def print_json(value: object) -> None:
    """Print JSON to standard output."""
    sys.stdout.write(dumped(value) + "\n")


def _with_moments(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _moment(name, inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_with_moments(inner) for inner in value]
    return value


def _moment(name: str, value: Any) -> object:
    if name.endswith("_at") and isinstance(value, int):
        return stamp(value)
    return _with_moments(value)
