"""The thresholds: the file in this folder, and what an operator changes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).with_name("thresholds.yaml")

SEVERITIES = ("page", "ticket", "none")
_DURATION = re.compile(r"(?:\d+(?:ms|s|m|h|d|w|y))+")
_UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PLACEHOLDER = re.compile(r"<<([\w.]+)(\|seconds)?>>")


class ThresholdsError(Exception):
    """What is wrong with a file of thresholds, with its path."""


def load(overlay: Path | None = None) -> dict[str, Any]:
    """The thresholds in force: the shipped ones, with those of *overlay* put over them."""
    thresholds = _read(SHIPPED)
    if overlay is not None:
        _put_over(thresholds, _read(overlay), "")
    return thresholds


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ThresholdsError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise ThresholdsError(f"{path}: not a mapping")
    return content


def _put_over(base: dict[str, Any], changes: Mapping[str, Any], path: str) -> None:
    """Changes *base* in place; a key that it does not have is a mistake, and so is a value of another kind."""
    for key, value in changes.items():
        here = f"{path}{key}"
        if key == "enabled" and path.startswith("alerts."):
            base[key] = bool(value)
        elif key not in base:
            raise ThresholdsError(f"{here}: there is no such threshold")
        elif isinstance(base[key], dict):
            if not isinstance(value, dict):
                raise ThresholdsError(f"{here}: not a mapping")
            _put_over(base[key], value, f"{here}.")
        else:
            base[key] = _checked(here, base[key], value)


def _checked(path: str, before: Any, value: Any) -> Any:
    if path.endswith(".severity") and value not in SEVERITIES:
        raise ThresholdsError(f"{path}: one of {', '.join(SEVERITIES)}")
    if isinstance(before, str) and _DURATION.fullmatch(before):
        if not isinstance(value, str) or not _DURATION.fullmatch(value):
            raise ThresholdsError(f"{path}: a duration such as 90s or 1h30m")
    elif isinstance(before, str) != isinstance(value, str) or isinstance(value, bool):
        raise ThresholdsError(f"{path}: {'text' if isinstance(before, str) else 'a number'}")
    return value


def seconds(duration: str) -> float:
    """How long a Prometheus duration is."""
    return sum(int(number) * _UNIT_SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def fill(text: str, values: Mapping[str, Any], thresholds: Mapping[str, Any]) -> str:
    """*text* with each ``<<name>>`` replaced: by one of *values* or, by its path, of *thresholds*."""

    def replacement(match: re.Match[str]) -> str:
        value = values[match[1]] if match[1] in values else find(thresholds, match[1])
        return f"{seconds(value):g}" if match[2] else str(value)

    return _PLACEHOLDER.sub(replacement, text)


def find(thresholds: Mapping[str, Any], path: str) -> Any:
    """One threshold by its path."""
    found: Any = thresholds
    for part in path.split("."):
        if part not in found:
            raise ThresholdsError(f"{path}: there is no such threshold")
        found = found[part]
    return found


def as_numbers(thresholds: Mapping[str, Any]) -> dict[str, Any]:
    """The thresholds of the alerts that are enabled, durations in seconds, for a program without YAML."""
    alerts = {
        name: {key: _number(value) for key, value in values.items() if key != "enabled"}
        for name, values in thresholds["alerts"].items()
        if values.get("enabled", True)
    }
    return {"alerts": alerts, "slo": dict(thresholds["slo"])}


def _number(value: Any) -> Any:
    return seconds(value) if isinstance(value, str) and _DURATION.fullmatch(value) else value
