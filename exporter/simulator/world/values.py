"""The kinds of values in events, as text (log) and as JSON (traces)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from exporter.simulator.world.telemetry import catalog


@dataclass(frozen=True, slots=True)
class Duration:
    """Whole milliseconds: `12ms` in text, `12` in JSON."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A time in Unix seconds, shown as RFC 3339."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address: bare in text, a string in JSON."""

    text: str


@dataclass(frozen=True, slots=True)
class Cause:
    """An event inside a value: `Title (event.id) { key = value }` in text."""

    event_id: str
    keys: Mapping[str, Value] = field(default_factory=dict)


Value = str | int | bool | float | None | Duration | Timestamp | Address | Cause | tuple["Value", ...]
Keys = Mapping[str, Value]

_ESCAPES = str.maketrans({"\r": "\\r", "\n": "\\n", "\t": "\\t", "\\": "\\\\"})


@lru_cache(maxsize=4096)
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339(seconds: float) -> str:
    """Format Unix seconds as `YYYY-MM-DDThh:mm:ssZ`."""
    return _rfc3339(int(seconds))


def to_text(value: Value) -> str:
    """Return a value as the log writes it. Quotes inside strings are not escaped, as on the real server."""
    match value:
        case None:
            return "(null)"
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value.translate(_ESCAPES)}"'
        case Duration(milliseconds):
            return f"{milliseconds}ms"
        case Timestamp(seconds):
            return rfc3339(seconds)
        case Address(text):
            return text
        case Cause(event_id, keys):
            inner = f" {{ {pairs_to_text(keys.items())} }}" if keys else ""
            return f"{catalog.title(event_id)} ({event_id}){inner}"
        case tuple():
            return f"[{', '.join(to_text(item) for item in value)}]"
        case _:
            return str(value)


def pairs_to_text(pairs: Iterable[tuple[str, Value]]) -> str:
    """Return `key = value` pairs, separated by commas."""
    return ", ".join(f"{key} = {to_text(value)}" for key, value in pairs)


def to_json(value: Value) -> Any:
    """Return a value as the trace API writes it."""
    match value:
        case Duration(milliseconds):
            return milliseconds
        case Timestamp(seconds):
            return rfc3339(seconds)
        case Address(text):
            return text
        case Cause(event_id, keys):
            return {**catalog.describe(event_id), "type": event_id, "data": keys_to_json(keys)}
        case tuple():
            return [to_json(item) for item in value]
        case _:
            return value


def keys_to_json(keys: Keys) -> dict[str, Any]:
    """Return keys as a JSON object; missing values are left out."""
    return {key: to_json(value) for key, value in keys.items() if value is not None}
