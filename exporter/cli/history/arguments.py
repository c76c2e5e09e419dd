"""The command-line options that the commands on the history share, and how such a command reads and ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exporter.errors import StoreError

if TYPE_CHECKING:
    from exporter.store.reading import History

EXIT_UNUSABLE = 1

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Configuration file (TOML) with the path of the history file (store.path)."),
]
StorePath = Annotated[Path | None, typer.Option("--store", help="History file, instead of the configured one.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Most = Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000_000, help="Maximum number of lines.")]
Format = Annotated[str, typer.Option("--format", "-f", help="json, jsonl or csv.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Output file; default: standard output.")]
AsJsonFormat = Annotated[bool, typer.Option("--json", help="The same as --format json.")]


def now() -> datetime:
    """Return the time, in UTC."""
    return datetime.now(UTC)


def finish(answer: Callable[[], int]) -> None:
    """Exit with the status that *answer* returns; if the history cannot be read, print one line and exit with 1."""
    from exporter.cli.output import complain

    try:
        status = answer()
    except StoreError as error:
        complain(str(error))
        status = EXIT_UNUSABLE
    raise typer.Exit(status)


def query(store: Path | None, config: Path | None, answer: Callable[[History], int]) -> None:
    """Exit with the status that *answer* returns from the history of the options `StorePath` and `Config`."""
    from exporter.cli.history.options import store_settings
    from exporter.store.reading import reading

    path = store_settings(store, config).path

    def read() -> int:
        with reading(path) as connection:
            return answer(connection)

    finish(read)
