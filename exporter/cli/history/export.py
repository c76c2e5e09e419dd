"""
Exports of the history for other programs.

JSON is exact and pure ASCII. In CSV, control characters are removed from texts, and a text that a spreadsheet would
take for a formula is prefixed with an apostrophe.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exporter.cli.history.text import dumped, stamp
from exporter.cli.output import complain, harmless, problems

EXIT_UNUSABLE = 1

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
        total: The number of items, for the progress bar; ``None`` if counting them would take too long.
        noun: What the items are, in the plural.
        columns: The columns of the CSV form.
        lines: The lines of an item in the CSV form; columns that a line does not have stay empty.
    """

    items: Iterable[Fields]
    total: int | None
    noun: str
    columns: Sequence[str]
    lines: Callable[[Fields], Iterable[Fields]]


def export(exported: Exported, *, fmt: str, output: Path | None) -> int:
    """Write *exported* in *fmt*, one of `FORMATS`, to *output* or standard output; return the exit status."""
    shown = output is not None or not sys.stdout.isatty()
    try:
        with _target(output) as out, _progress(exported.total, exported.noun, shown=shown) as tick:
            items = _ticking(exported.items, tick)
            if fmt == "csv":
                _write_csv(out, items, exported)
            else:
                (_write_json if fmt == "json" else _write_lines)(out, items)
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"cannot write {output or 'to standard output'}: {error.strerror}")
        return EXIT_UNUSABLE
    return 0


@contextmanager
def _target(output: Path | None) -> Iterator[TextIO]:
    """Open the file under a temporary name, so that an incomplete export is never taken for a complete one."""
    if output is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    partial = output.with_name(f"{output.name}.part")
    try:
        with partial.open("w", encoding="utf-8", newline="") as out:
            yield out
        os.replace(partial, output)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def _progress(total: int | None, noun: str, *, shown: bool) -> Iterator[Callable[[], None]]:
    columns = (TextColumn(noun), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=problems, disable=not (shown and problems.is_terminal)) as progress:
        task = progress.add_task(noun, total=total)
        yield lambda: progress.advance(task)


def _ticking(items: Iterable[Fields], tick: Callable[[], None]) -> Iterator[Fields]:
    for item in items:
        yield item
        tick()


def _write_json(out: TextIO, items: Iterable[Fields]) -> None:
    out.write("[")
    for number, item in enumerate(items):
        out.write(",\n" if number else "\n")
        out.write(dumped(item, indent=None))
    out.write("\n]\n")


def _write_lines(out: TextIO, items: Iterable[Fields]) -> None:
    for item in items:
        out.write(dumped(item, indent=None) + "\n")


def _write_csv(out: TextIO, items: Iterable[Fields], exported: Exported) -> None:
    writer = csv.DictWriter(out, exported.columns, restval="", lineterminator="\n")
    writer.writeheader()
    for item in items:
        for line in exported.lines(item):
            writer.writerow({name: _cell(name, value) for name, value in line.items()})


def _cell(name: str, value: object) -> object:
    if name.endswith("_at") and isinstance(value, int):
        return stamp(value)
    if not isinstance(value, str):
        return value
    clean = harmless(value, CELL_LENGTH)
    return f"'{clean}" if clean.startswith(FORMULA_SIGNS) else clean
