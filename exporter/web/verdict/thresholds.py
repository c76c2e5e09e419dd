"""The alerts' thresholds, from the file next to this module that ``python -m alerts --write`` generates."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from exporter.errors import SettingsError
from exporter.web.config.files import FileProblem, read_regular

FILE = "thresholds.json"
MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Threshold:
    """
    The thresholds of one alert.

    Attributes:
        severity: ``page`` or ``ticket``.
        for_seconds: How long the condition must hold before the alert fires.
        values: The other numbers by their names in ``alerts/thresholds.yaml``; durations in seconds.
    """

    severity: str
    for_seconds: float
    values: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """
    The thresholds of all alerts.

    Attributes:
        alerts: By the alert's name; disabled alerts are missing.
        slo: The numbers of the delivery objective.
    """

    alerts: Mapping[str, Threshold]
    slo: Mapping[str, float]

    def get(self, alert: str) -> Threshold | None:
        """Return the thresholds of *alert*; ``None`` if it is disabled."""
        return self.alerts.get(alert)


def parse_thresholds(content: Mapping[str, Any]) -> Thresholds:
    """Parse the content of the generated file; raises for any other structure."""
    alerts = {name: _threshold(values) for name, values in content["alerts"].items()}
    return Thresholds(alerts, {name: _number(value) for name, value in content["slo"].items()})


def _threshold(values: Mapping[str, Any]) -> Threshold:
    numbers = {name: _number(value) for name, value in values.items() if name not in ("severity", "for")}
    return Threshold(str(values["severity"]), _number(values["for"]), numbers)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not a threshold")
    return number


def load_thresholds(path: Path) -> Thresholds:
    """Load the thresholds of an operator's own rules; raises `SettingsError`."""
    try:
        return parse_thresholds(json.loads(read_regular(path, MAX_BYTES)))
    except (FileProblem, AttributeError, KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        problem = f"web.thresholds_file: {path} is not a thresholds.json of `python -m alerts`: {error!r}"
        raise SettingsError([problem]) from error


def shipped_content() -> dict[str, Any]:
    """Return the content of the generated file."""
    content: dict[str, Any] = json.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return content


@cache
def shipped() -> Thresholds:
    """Return the thresholds of the shipped rules."""
    return parse_thresholds(shipped_content())
