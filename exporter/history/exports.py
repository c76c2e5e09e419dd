"""
Exports of the history for other programs, piece by piece.

JSON is exact and pure ASCII. In CSV, control characters are removed from texts, and a text that a spreadsheet would
take for a formula is prefixed with an apostrophe.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.history.texts import dumped, stamp
from exporter.printable import harmless

FORMATS = ("json", "jsonl", "csv")

CELL_LENGTH = 2000
"""More than any column of the history holds."""

FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """
    What an export writes.

    Attributes:
        items: Read while they are written, so that memory stays bounded.
        noun: What the items are, in the plural.
        columns: The columns of the CSV form.
        lines: The lines of an item in the CSV form; columns that a line does not have stay empty.
    """

    items: Iterable[Fields]
    noun: str
    columns: Sequence[str]
    lines: Callable[[Fields], Iterable[Fields]]


def pieces(exported: Exported, fmt: str) -> Iterator[str]:
    """Yield *exported* in *fmt*, one of `FORMATS`: at least one piece per item."""
    if fmt == "csv":
        return _csv(exported)
    return _json(exported.items) if fmt == "json" else _lines(exported.items)


def _json(items: Iterable[Fields]) -> Iterator[str]:
    yield "["
    for number, item in enumerate(items):
        yield (",\n" if number else "\n") + dumped(item, indent=None)
    yield "\n]\n"


def _lines(items: Iterable[Fields]) -> Iterator[str]:
    for item in items:
        yield dumped(item, indent=None) + "\n"


def _csv(exported: Exported) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.DictWriter(out, exported.columns, restval="", lineterminator="\n")
    writer.writeheader()
    yield _taken(out)
    for item in exported.items:
        for line in exported.lines(item):
            writer.writerow({name: _cell(name, value) for name, value in line.items()})
        yield _taken(out)


def _taken(out: io.StringIO) -> str:
    text = out.getvalue()
    out.seek(0)
    out.truncate()
    return text


def _cell(name: str, value: object) -> object:
    if name.endswith("_at") and isinstance(value, int):
        return stamp(value)
    if not isinstance(value, str):
        return value
    clean = harmless(value, CELL_LENGTH)
    return f"'{clean}" if clean.startswith(FORMULA_SIGNS) else clean
