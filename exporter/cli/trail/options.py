"""The options shared by the trail commands, parsed to values."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from exporter.cli.history.options import refusing
from exporter.cli.trail.arguments import Given
from exporter.history.filters import Options, trail_filter
from exporter.store.trail.filter import TrailFilter


def filter_of(given: Given, *, now: datetime, refused: bool) -> TrailFilter:
    """Return the filter; raises `typer.BadParameter`, which exits with status 2."""
    with refusing():
        return trail_filter(Options(asdict(given), now=now, sign="--"), refused=refused)
