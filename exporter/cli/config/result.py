"""The result of ``check-config``: every problem, or the effective settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import SettingsError
from exporter.settings.describe import Key, as_toml, dotted, global_keys, server_keys
from exporter.settings.load import load_settings
from exporter.settings.models import Settings
from exporter.settings.section import Section

EXIT_OK = 0
EXIT_WRONG_SETTINGS = 2


@dataclass(frozen=True, slots=True)
class CheckResult:
    """
    The result of loading the settings once.

    Attributes:
        settings: ``None`` if there is any problem.
    """

    settings: Settings | None
    problems: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0, or 2 for unusable settings; warnings do not count."""
        return EXIT_WRONG_SETTINGS if self.settings is None else EXIT_OK

    def lines(self) -> list[str]:
        """Return text: the problems, or warnings, ``ok: 2 servers`` and the effective settings, secrets as ``***``."""
        if self.settings is None:
            return list(self.problems)
        count = len(self.settings.servers)
        return [
            *(f"warning: {warning}" for warning in self.settings.warnings),
            f"ok: {count} server{'' if count == 1 else 's'}",
            *_effective(self.settings),
        ]

    def data(self) -> dict[str, Any]:
        """Return the same as JSON values, with durations in seconds and sizes in bytes."""
        settings = self.settings
        return {
            "ok": settings is not None,
            "problems": list(self.problems),
            "warnings": list(settings.warnings) if settings else [],
            "settings": settings.model_dump(mode="json") if settings else None,
        }


def check(path: Path | None, environ: Mapping[str, str]) -> CheckResult:
    """Load the settings as the daemon would, and start nothing."""
    try:
        return CheckResult(load_settings(path, environ))
    except SettingsError as error:
        return CheckResult(None, error.problems)


def report(path: Path | None, environ: Mapping[str, str]) -> tuple[int, list[str]]:
    """Return the exit code and the text output."""
    result = check(path, environ)
    return result.exit_code, result.lines()


def _effective(settings: Settings) -> Iterator[str]:
    for key in global_keys():
        yield from _line(settings, key, ())
    for index, server in enumerate(settings.servers):
        for key in server_keys():
            yield from _line(server, key, ("servers", index))


def _line(root: Section, key: Key, prefix: tuple[str | int, ...]) -> Iterator[str]:
    value: Any = root
    for name in key.path:
        value = getattr(value, name)
    if value is not None:
        yield f"{dotted((*prefix, *key.path))} = {as_toml(key.field, value)}"
