"""Numbers, times and JSON of the history in text, the same in commands, exports and pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exporter.clock import rfc3339


def day(seconds: int) -> str:
    """Format a day: ``2026-11-21`` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def stamp(seconds: int) -> str:
    """Format a time: ``2026-11-21T10:00:00Z``."""
    return rfc3339(datetime.fromtimestamp(seconds, UTC))


def minute(seconds: int) -> str:
    """Format a time to the minute: ``2026-11-21 10:00`` in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def moment(at: datetime) -> str:
    """Format a time to the second: ``2026-11-21 10:00:00`` in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def number(count: int) -> str:
    """Format a number with digits in groups of three."""
    return f"{count:,}".replace(",", " ")


def share(part: int, whole: int) -> str:
    """Format a percentage that is 100 % or 0 % only if exact; empty if *whole* is 0."""
    if not whole:
        return ""
    percent = 100 * part / whole
    if part not in (0, whole):
        percent = min(max(percent, 0.1), 99.9)
    return f"{percent:.1f} %"


def counted(count: int, one: str, many: str = "") -> str:
    """Format a number and its noun: ``1 report``, ``2 reports``."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def dumped(value: object, *, indent: int | None = 2) -> str:
    """Return JSON in ASCII; fields whose name ends in ``_at`` are formatted as RFC 3339."""
    return json.dumps(_with_moments(value), indent=indent, ensure_ascii=True)


def _with_moments(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _moment(name, inner) for name, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_with_moments(inner) for inner in value]
    return value


def _moment(name: str, value: Any) -> object:
    if name.endswith("_at") and isinstance(value, int):
        return stamp(value)
    return _with_moments(value)
