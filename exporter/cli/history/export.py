"""Writes exports of the history to a file or a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from exporter.cli.output import complain, problems
from exporter.history.exports import Exported, Fields, pieces

EXIT_UNUSABLE = 1


def export(exported: Exported, *, fmt: str, output: Path | None, total: int | None = None) -> int:
    """
    Write *exported* in *fmt*, one of `FORMATS`, to *output* or standard output; return the exit status.

    *total* is the number of items, for the progress bar; ``None`` if counting them would take too long.
    """
    shown = output is not None or not sys.stdout.isatty()
    try:
        with _target(output) as out, _progress(total, exported.noun, shown=shown) as tick:
            out.writelines(pieces(replace(exported, items=_ticking(exported.items, tick)), fmt))
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
