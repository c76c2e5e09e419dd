"""Parsing and formatting of durations and sizes."""

from __future__ import annotations

import math
import re
from decimal import Decimal

SECOND = 1.0
MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_DURATION_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SIZE_UNITS = (("GiB", GIB), ("MiB", MIB), ("KiB", KIB), ("B", 1))
_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_PLAIN = re.compile(_NUMBER)
_DURATION = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit, _ in _DURATION_UNITS))
_SIZE = re.compile(f"({_NUMBER}) ?({'|'.join(unit for unit, _ in _SIZE_UNITS)})")
_MAX_LENGTH = 64


def parse_duration(value: object) -> float:
    """
    Return seconds from ``30s``, ``5m``, ``2h``, ``400d``, ``500ms`` or a combination such as ``1h30m``.

    A number counts as seconds, also as text, since environment variables have no numbers. Raises `ValueError`, which
    does not repeat the value.
    """
    seconds = _number(value)
    if seconds is None and isinstance(value, str):
        seconds = _sum_of_units(value.strip())
    if seconds is None:
        raise ValueError("not a duration")
    if not math.isfinite(seconds):
        raise ValueError("not a finite number of seconds")
    if seconds < 0:
        raise ValueError("a negative duration")
    return seconds


def format_duration(seconds: float) -> str:
    """Format a duration so that `parse_duration` returns the same number: ``1h30m``, ``500ms``, ``0s``."""
    milliseconds = Decimal(repr(seconds)) * 1000
    if milliseconds != milliseconds.to_integral_value():
        return f"{Decimal(repr(seconds)):f}s"
    rest = int(milliseconds)
    text = ""
    for unit, size in _DURATION_UNITS:
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def parse_size(value: object) -> int:
    """
    Return bytes from ``64MiB`` (``B``, ``KiB``, ``MiB``, ``GiB``) or a number of bytes.

    Raises `ValueError`, which does not repeat the value.
    """
    size = _number(value)
    if size is None and isinstance(value, str) and len(value) <= _MAX_LENGTH:
        match = _SIZE.fullmatch(value.strip())
        size = float(Decimal(match[1]) * dict(_SIZE_UNITS)[match[2]]) if match else None
    if size is None or not math.isfinite(size) or size != int(size):
        raise ValueError("not a size in bytes")
    if size < 0:
        raise ValueError("a negative size")
    return int(size)


def format_size(size_bytes: int) -> str:
    """Format a size in the largest unit that divides it: ``64MiB``."""
    unit, size = next((unit, size) for unit, size in _SIZE_UNITS if size_bytes % size == 0)
    return f"{size_bytes // size}{unit}" if size_bytes else "0B"


def _number(value: object) -> float | None:
    """Return a plain number, or ``None``; a boolean is not a number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return _to_float(value)
    if isinstance(value, str) and len(value) <= _MAX_LENGTH and _PLAIN.fullmatch(value.strip()):
        return _to_float(Decimal(value.strip()))
    return None


def _sum_of_units(text: str) -> float | None:
    match = _DURATION.fullmatch(text) if text and len(text) <= _MAX_LENGTH else None
    if match is None:
        return None
    parts = zip(match.groups(), _DURATION_UNITS, strict=True)
    return _to_float(sum((Decimal(count) * size for count, (_, size) in parts if count), Decimal(0)) / 1000)


def _to_float(value: float | Decimal) -> float:
    """Return a float; infinity for an integer that is too large, instead of an `OverflowError`."""
    try:
        return float(value)
    except OverflowError:
        return math.inf
