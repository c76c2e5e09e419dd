"""Loads settings from a file and the environment, or reports every problem at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from exporter.errors import SettingsError, quote
from exporter.settings.environment import apply_environment
from exporter.settings.files import read_bounded
from exporter.settings.models import Settings
from exporter.settings.problems import describe_errors
from exporter.settings.validation.risks import risks_of, risks_of_file
from exporter.units import MIB

DEFAULT_PATH = Path("/etc/stalwart-exporter/config.toml")
_FILE_LIMIT_BYTES = MIB


def load_settings(path: Path | None, environ: Mapping[str, str], *, default_path: Path = DEFAULT_PATH) -> Settings:
    """
    Return the settings of the file at *path* with *environ* applied; secrets are read from their files.

    Without *path*, *default_path* is used if it exists. Blocks on the disk. Raises `SettingsError` with all problems;
    no message contains a secret.
    """
    chosen = path if path is not None else default_path
    absent = path is None and not _exists(default_path)
    try:
        tables = {} if absent else _read_tables(chosen)
    except ValueError as error:
        # The file's settings are unknown: report only names that no file could make valid.
        problems = apply_environment({"servers": [{}]}, environ).problems
        raise SettingsError([f"{quote(str(chosen))}: {error}", *problems]) from None
    overlay = apply_environment(tables, environ)
    try:
        settings = Settings.model_validate(overlay.tables)
    except ValidationError as error:
        lines = describe_errors(error, overlay.tables, overlay.origins.get)
        if absent and not overlay.tables.get("servers"):
            lines.append(f"{quote(str(chosen))}: no such file; use --config to name another")
        raise SettingsError([*lines, *overlay.problems]) from None
    if overlay.problems:
        raise SettingsError(overlay.problems)
    settings._warnings = (*risks_of_file(chosen, tables), *risks_of(settings))
    return settings


def _exists(path: Path) -> bool:
    """Return whether *path* exists: a default file without read permission is a problem, not a missing file."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _read_tables(path: Path) -> dict[str, Any]:
    """Parse the file; raises `ValueError` with a readable message."""
    # Pipes are allowed here: `--config <(...)` keeps a generated file off the disk.
    content = read_bounded(path, _FILE_LIMIT_BYTES, regular_only=False)
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"not UTF-8 text (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not valid TOML: {error}") from None
    except RecursionError:
        raise ValueError("not valid TOML: nested too deeply") from None
    except ValueError:
        # An integer with thousands of digits, which Python refuses to parse.
        raise ValueError("not valid TOML: a number has too many digits") from None
