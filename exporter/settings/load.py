"""Loads settings from a file and the environment, or reports every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from exporter.errors import SettingsError, quote
from exporter.settings.describe import Loc
from exporter.settings.directory import ServerFiles, parse_tables, read_server_files
from exporter.settings.environment import Overlay, apply_environment, variable_name
from exporter.settings.files import read_bounded
from exporter.settings.models import Settings
from exporter.settings.problems import describe_errors
from exporter.settings.validation.risks import risks_of, risks_of_file
from exporter.units import MIB

DEFAULT_PATH = Path("/etc/stalwart-exporter/config.toml")
_FILE_LIMIT_BYTES = MIB

DIRECTORY = ("discovery", "directory")


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
    found = _servers_of_directory(tables, environ)
    own = given if isinstance(given := tables.get("servers", []), list) else []
    overlay = apply_environment({**tables, "servers": [*own, *found.tables]} if found.tables else tables, environ)
    overlay.problems.extend(found.problems)
    try:
        settings = Settings.model_validate(overlay.tables)
    except ValidationError as error:
        lines = describe_errors(error, overlay.tables, partial(_origin_of, overlay, found, len(own)))
        if absent and not overlay.tables.get("servers"):
            lines.append(f"{quote(str(chosen))}: no such file; use --config to name another")
        raise SettingsError([*lines, *overlay.problems]) from None
    if overlay.problems:
        raise SettingsError(overlay.problems)
    settings._warnings = (
        *risks_of_file(chosen, tables),
        *(
            risk
            for path, server in zip(found.files, found.tables, strict=True)
            for risk in risks_of_file(path, {"servers": [server]})
        ),
        *risks_of(settings),
    )
    return settings


def _servers_of_directory(tables: Mapping[str, Any], environ: Mapping[str, str]) -> ServerFiles:
    """Return the servers of the directory that file or environment name; none if that is no use."""
    section = tables.get("discovery")
    given = environ.get(variable_name(DIRECTORY)) or (section.get("directory") if isinstance(section, dict) else None)
    if not isinstance(given, str) or not given or not isinstance(tables.get("servers", []), list):
        return ServerFiles()
    return read_server_files(Path(given))


def _origin_of(overlay: Overlay, found: ServerFiles, first: int, loc: Loc) -> str | None:
    """Return where the key at *loc* comes from, if not from the main file: a variable, or a server's own file."""
    number = loc[1] - first if len(loc) > 1 and loc[0] == "servers" and isinstance(loc[1], int) else -1
    return overlay.origins.get(loc) or (str(found.files[number]) if 0 <= number < len(found.files) else None)


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
    return dict(parse_tables(read_bounded(path, _FILE_LIMIT_BYTES, regular_only=False)))
