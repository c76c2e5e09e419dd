"""``trail export``: messages or refusals for other programs, newest first."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from exporter.cli.history.export import export as write
from exporter.history.trail_export import exported_messages, exported_refusals
from exporter.store.reading import History
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader


def export(
    connection: History, wanted: TrailFilter, *, refused: bool, fmt: str, output: Path | None, now: datetime
) -> int:
    """Write all wanted messages, or refusals, in *fmt* to *output* or standard output."""
    reader = TrailReader(connection, only_domain=wanted.only_domain)
    exported = exported_refusals(reader, wanted) if refused else exported_messages(reader, wanted, now=now)
    return write(exported, fmt=fmt, output=output)
