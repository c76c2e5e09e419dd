"""Servers in files of their own, so that a server can be added without touching the main file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from exporter.errors import quote
from exporter.settings.files import read_bounded
from exporter.units import MIB

PATTERN = "*.toml"
MOST_FILES = 10_000
FILE_LIMIT_BYTES = MIB

_TABLE = "servers"


@dataclass(frozen=True, slots=True)
class ServerFiles:
    """
    The tables of all files.

    Attributes:
        tables: In the order of the files' names, and within a file as it has them.
        files: The file of each table.
        problems: Files that cannot be used, one line each.
    """

    tables: Sequence[Any] = ()
    files: Sequence[Path] = ()
    problems: Sequence[str] = field(default=())


def server_files(directory: Path) -> Sequence[Path]:
    """Return the files of *directory* in the order of their names, hidden ones left out; raises `OSError`."""
    found = [path for path in directory.iterdir() if path.match(PATTERN) and not path.name.startswith(".")]
    return sorted(found)[: MOST_FILES + 1]


def read_server_files(directory: Path) -> ServerFiles:
    """Read every file of *directory*; what is wrong with one is a problem, and the others are read all the same."""
    try:
        paths = server_files(directory)
    except OSError as error:
        return ServerFiles(problems=[f"discovery.directory: {error.strerror or error}"])
    if len(paths) > MOST_FILES:
        return ServerFiles(problems=[f"discovery.directory: more than {MOST_FILES} files"])
    tables: list[Any] = []
    files: list[Path] = []
    problems: list[str] = []
    for path in paths:
        try:
            found = _tables_of(path)
        except ValueError as error:
            problems.append(f"{quote(str(path))}: {error}")
            continue
        tables += found
        files += [path] * len(found)
    return ServerFiles(tables, files, problems)


def _tables_of(path: Path) -> Sequence[Any]:
    """Return the ``[[servers]]`` of a file, which has nothing else; raises `ValueError` with a readable message."""
    content = parse_tables(read_bounded(path, FILE_LIMIT_BYTES))
    if others := [name for name in content if name != _TABLE]:
        raise ValueError(f"{quote(others[0])}: belongs into the main file; accepted: [[servers]]")
    tables = content.get(_TABLE, [])
    if not isinstance(tables, list):
        raise ValueError("servers: not an array of tables; accepted: one or more [[servers]], in double brackets")
    return tables


def parse_tables(content: bytes) -> Mapping[str, Any]:
    """Return the tables of a TOML file; raises `ValueError` with a readable message."""
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
