"""Environment variables, which override the settings of the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from exporter.errors import quote
from exporter.settings.describe import Loc, global_keys, server_keys
from exporter.settings.problems import did_you_mean

PREFIX = "STALWART_EXPORTER_"
NESTING = "__"
SHORT_NAMES: Mapping[tuple[str, ...], str] = {
    ("web", "listen"): f"{PREFIX}LISTEN",
    ("store", "path"): f"{PREFIX}STORE_PATH",
    ("log", "level"): f"{PREFIX}LOG_LEVEL",
}
"""Keys that have a second, shorter variable."""

NO_COLLECTORS = f"{PREFIX}NO_COLLECTORS"
"""Names of collectors, separated by commas, that are switched off for every server."""

# Kubernetes sets these in every container next to a service named stalwart-exporter or stalwart-exporter-*.
_SERVICE = re.compile(
    rf"{PREFIX}(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT(?:_[A-Z0-9_]+)?)|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_[A-Z]+)?)"
)
_SERVICE_PORT = re.compile(rf"{PREFIX}(?:[A-Z0-9_]+_)?PORT")
_SERVICE_PORT_VALUE = re.compile(r"(?:tcp|udp|sctp)://.*")

# A variable replaces all keys of the file that set the same thing differently.
_BASIC = ("username", "password", "password_file")
_BEARER = ("token", "token_file")
_DISPLACES: Mapping[str, tuple[str, ...]] = {
    "password": ("password_file", *_BEARER),
    "password_file": ("password", *_BEARER),
    "token": ("token_file", *_BASIC),
    "token_file": ("token", *_BASIC),
    "native_password": ("native_password_file",),
    "native_password_file": ("native_password",),
    "secret": ("secret_file",),
    "secret_file": ("secret",),
}


@dataclass(frozen=True, slots=True)
class Overlay:
    """
    The file's tables with the environment applied.

    Attributes:
        tables: Ready for validation.
        origins: The variable that set each path; for a server defined by the environment alone, also the variables that
            could set its other paths.
        problems: Variables that cannot be applied, one line each.
    """

    tables: dict[str, Any]
    origins: dict[Loc, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def variable_name(path: tuple[str, ...]) -> str:
    """Return the variable of a key: its path below the file or its server, joined by two underscores."""
    return PREFIX + NESTING.join(path).upper()


def apply_environment(tables: Mapping[str, Any], environ: Mapping[str, str]) -> Overlay:
    """
    Return the file's *tables* with *environ* applied; an empty variable counts as unset.

    Variables of a server define one if the file has none, and override it if the file has one. If the file has several,
    they are problems, as are unknown variables.
    """
    given = {name: value for name, value in environ.items() if name.startswith(PREFIX) and value}
    overlay = Overlay(dict(tables))
    _apply_global(overlay, given)
    _apply_server(overlay, given)
    _switch_off(overlay, given.get(NO_COLLECTORS, ""))
    overlay.problems.extend(_unknown(given))
    return overlay


def _apply_global(overlay: Overlay, given: Mapping[str, str]) -> None:
    for key in global_keys():
        long, short = variable_name(key.path), SHORT_NAMES.get(key.path, "")
        if long in given and short in given:
            overlay.problems.append(
                f"{long}: conflicts with {short}, which sets the same key; accepted: only one of the two"
            )
            continue
        used = long if long in given else short
        if used in given and _put(overlay.tables, key.path, given[used]):
            overlay.origins[key.path] = used


def _apply_server(overlay: Overlay, given: Mapping[str, str]) -> None:
    variables = {variable_name(key.path): key.path for key in server_keys()}
    used = {name: path for name, path in variables.items() if name in given}
    servers = overlay.tables.get("servers", [])
    if not used or not isinstance(servers, list):
        return
    if len(servers) > 1:
        overlay.problems.extend(
            f"{name}: sets a key of a single server, but the file has {len(servers)} [[servers]]; "
            "accepted: the key in the file, or a file with at most one"
            for name in used
        )
        return
    if not servers:
        servers = [{}]
        overlay.origins.update({("servers", 0, *path): name for name, path in variables.items()})
    if not isinstance(servers[0], dict):
        return  # not a table in the file, which validation reports
    server = dict(servers[0])
    for path in used.values():
        server = _without(server, path[:-1], _DISPLACES.get(path[-1], ()))
    overlay.tables["servers"] = [server]
    for name, path in used.items():
        if _put(server, path, given[name]):
            overlay.origins["servers", 0, *path] = name


def _switch_off(overlay: Overlay, names: str) -> None:
    """Switch the collectors *names* off for all servers."""
    known = [key.path[1] for key in server_keys() if key.path[0] == "collectors"]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if unknown := [name for name in wanted if name not in known]:
        overlay.problems.append(f"{NO_COLLECTORS}: {quote(unknown[0])} is no collector; accepted: {', '.join(known)}")
        return
    servers = overlay.tables.get("servers", [])
    if not wanted or not isinstance(servers, list):
        return
    changed = [dict(server) if isinstance(server, dict) else server for server in servers]
    for number, server in enumerate(changed):
        for name in wanted if isinstance(server, dict) else ():
            if _put(server, ("collectors", name), "false"):
                overlay.origins["servers", number, "collectors", name] = NO_COLLECTORS
    overlay.tables["servers"] = changed


def _unknown(given: Mapping[str, str]) -> list[str]:
    known = {variable_name(key.path) for key in (*global_keys(), *server_keys())} | set(SHORT_NAMES.values())
    known.add(NO_COLLECTORS)
    lines = []
    for name, value in given.items():
        if name in known or _is_of_kubernetes(name, value):
            continue
        guess = did_you_mean(name.removeprefix(PREFIX), [other.removeprefix(PREFIX).lower() for other in sorted(known)])
        hint = f"did you mean {PREFIX}{guess.upper()}?" if guess else "accepted: those in docs/configuration.md"
        lines.append(f"{quote(name)}: unknown environment variable; {hint}")
    return sorted(lines)


def _is_of_kubernetes(name: str, value: str) -> bool:
    if _SERVICE.fullmatch(name):
        return True
    return bool(_SERVICE_PORT.fullmatch(name) and _SERVICE_PORT_VALUE.fullmatch(value))


def _without(table: dict[str, Any], path: tuple[str, ...], names: tuple[str, ...]) -> dict[str, Any]:
    """Return a copy of *table* without the keys *names* of the table at *path* below it."""
    if not path:
        return {key: value for key, value in table.items() if key not in names}
    inner = table.get(path[0])
    return {**table, path[0]: _without(inner, path[1:], names)} if isinstance(inner, dict) else table


def _put(table: dict[str, Any], path: tuple[str, ...], value: str) -> bool:
    """
    Set a key below *table*; return false if a value that is not a table is in the way, which validation reports.

    Tables on the path are copied: the tables read from the file stay unchanged.
    """
    for name in path[:-1]:
        inner = table.get(name, {})
        if not isinstance(inner, dict):
            return False
        copy = dict(inner)
        table[name] = copy
        table = copy
    table[path[-1]] = value
    return True
