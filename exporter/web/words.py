"""Numbers and times in readable form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime


def count(number: float, thing: str) -> str:
    """Format a number and its unit: ``1 message``, ``12 messages``."""
    return f"{number:.0f} {thing}" if number == 1 else f"{number:.0f} {thing}s"


def are(number: float) -> str:
    """Return the verb for a count."""
    return "is" if number == 1 else "are"


def grouped(number: float) -> str:
    """Format a whole number with narrow spaces between its thousands: ``12 345``, with U+202F."""
    return f"{number:,.0f}".replace(",", "\u202f")


EDITIONS: Mapping[str, str] = {"enterprise": "Enterprise"}
APIS: Mapping[str, str] = {"rest": "REST", "jmap": "JMAP"}
"""How editions and generations of the management API are written; others as they are."""


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it: ``before-you-start``."""
    return re.sub(r"[^a-z0-9-]", "", heading.lower().replace(" ", "-"))


def ago(when: datetime, now: datetime) -> str:
    """Format the time since *when*; a time in the future, from a different clock, is ``in ...``."""
    seconds = (now - when).total_seconds()
    return f"in {duration(-seconds)}" if seconds <= -1 else f"{duration(max(0.0, seconds))} ago"


def duration(seconds: float) -> str:
    """
    Format a duration in its largest unit, with the next one while that matters::

        45 s    12 min    3 h 20 min    5 d 2 h
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _two_units(whole, 60, "min", 1, "s") if whole % 60 and whole < 600 else f"{whole // 60} min"
    if whole < 86400:
        return _two_units(whole, 3600, "h", 60, "min")
    return _two_units(whole, 86400, "d", 3600, "h")


def _two_units(whole: int, large: int, large_name: str, small: int, small_name: str) -> str:
    major, minor = whole // large, whole % large // small
    return f"{major} {large_name} {minor} {small_name}" if minor else f"{major} {large_name}"


def size(size_bytes: int) -> str:
    """Format a size in a readable unit."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
