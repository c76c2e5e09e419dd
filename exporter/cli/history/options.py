"""The options that the commands on the history share, parsed to values; each raises `typer.BadParameter`: status 2."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import typer
from pydantic import ValidationError

from exporter.errors import FilterError
from exporter.history import filters
from exporter.settings import DEFAULT_PATH, StoreSettings, TrailSettings
from exporter.settings.environment import apply_environment
from exporter.units import DAY, format_duration, parse_duration

LONGEST_SECONDS = 36_500 * DAY


@contextmanager
def refusing() -> Iterator[None]:
    """Turn `FilterError` into an invalid option: status 2."""
    try:
        yield
    except FilterError as error:
        raise typer.BadParameter(str(error)) from None


def domain_of(option: str, text: str) -> str:
    """Return a domain in the form used in the history."""
    with refusing():
        return filters.domain_of(option, text)


def moment_of(option: str, text: str, *, now: datetime) -> datetime:
    """Parse a date, an RFC 3339 time, or an age (``7d``, ``12h``)."""
    with refusing():
        return filters.moment_of(option, text, now=now)


def duration_of(option: str, text: str) -> float:
    """Parse a duration such as ``90d``; return seconds."""
    try:
        seconds = parse_duration(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: a duration such as 90d") from None
    if seconds > LONGEST_SECONDS:
        raise typer.BadParameter(f"{option}: at most {format_duration(LONGEST_SECONDS)}")
    return seconds


def store_settings(store: Path | None, config: Path | None) -> StoreSettings:
    """
    Return the path and the retention of the history.

    Reads the configuration without its servers: users who read reports may lack permission to read their secrets.
    """
    tables = _table(config, "store")
    if store is not None:
        tables = {**tables, "path": str(store)}
    try:
        return StoreSettings.model_validate(tables)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise typer.BadParameter(f"store.{where}: {error.errors()[0]['msg']}") from None


def trail_settings(config: Path | None) -> TrailSettings:
    """Return the settings of the trail, read as those of the store."""
    try:
        return TrailSettings.model_validate(_table(config, "trail"))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise typer.BadParameter(f"trail.{where}: {error.errors()[0]['msg']}") from None


def _table(config: Path | None, section: str) -> Mapping[str, Any]:
    path = config if config is not None else DEFAULT_PATH
    tables: dict[str, Any] = {}
    try:
        if config is not None or path.exists():
            tables = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise typer.BadParameter(f"{path}: not valid TOML") from None
    found = apply_environment(tables, dict(os.environ)).tables.get(section, {})
    return found if isinstance(found, Mapping) else {}


def one_of(option: str, text: str, words: Iterable[str]) -> str:
    """Return the one of *words* that was given, in any case."""
    with refusing():
        return filters.one_of(option, text, words)
