"""
Sums and order of a page's timestamps without a ``datetime`` for each.

The server writes ``2026-01-15T10:30:00Z``, which sorts as text and can be summed column by column. Other forms (with an
offset or a fraction) are first rewritten to this one.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from datetime import datetime
from operator import mul
from typing import Annotated

import msgspec

from exporter.clock import rfc3339, whole_second
from exporter.errors import PayloadError
from exporter.stalwart.http.responses import decoding_problem

_LENGTH = len("2026-01-15T10:30:00Z")
_HOUR = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}")
_SEPARATORS = ((13, ":"), (16, ":"), (19, "Z"))
_DIGITS = ((14, 600, "012345"), (15, 60, "0123456789"), (17, 10, "012345"), (18, 1, "0123456789"))
_Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class UnreadableStamp(ValueError):
    """
    An invalid timestamp.

    Attributes:
        index: Its position in the input.
    """

    def __init__(self, index: int) -> None:
        super().__init__("Invalid RFC3339 encoded datetime")
        self.index = index


def in_order(stamps: Sequence[str]) -> tuple[list[str], int]:
    """
    Return the timestamps in ascending order, in the server's form, and the sum of their Unix seconds.

    Fractions of a second are dropped. Raises `UnreadableStamp`.
    """
    ordered = sorted(stamps)
    total = unix_sum(ordered)
    if total is None:
        ordered = sorted(_rewritten(stamp, index) for index, stamp in enumerate(stamps))
        total = unix_sum(ordered)
        assert total is not None, "what we write ourselves is readable"  # noqa: S101 - an invariant, not a check of input
    return ordered, total


def unix_sum(ordered: Sequence[str]) -> int | None:
    """Return the sum of the Unix seconds of ascending timestamps; ``None`` if one has another form."""
    text = "".join(ordered)
    if len(text) != len(ordered) * _LENGTH:
        return None
    for at, sign in _SEPARATORS:
        if text[at::_LENGTH].count(sign) != len(ordered):
            return None
    total = 0
    for at, weight, allowed in _DIGITS:
        column = text[at::_LENGTH]
        counts = list(map(column.count, allowed))
        if sum(counts) != len(ordered):
            return None
        total += weight * sum(map(mul, counts, range(10)))
    hours = _sum_of_hours(ordered)
    return None if hours is None else total + hours


def utc_second(at: datetime, path: str, member: str) -> datetime:
    """Return a decoded timestamp's whole second in UTC. Raises `PayloadError` naming *member* of *path*."""
    try:
        return whole_second(at)
    except OverflowError as error:
        raise PayloadError(decoding_problem(error, f"{path}.{member}")) from error


def _sum_of_hours(ordered: Sequence[str]) -> int | None:
    """Return the sum of the full hours; a page has few different ones."""
    total = start = 0
    while start < len(ordered):
        hour = ordered[start][:13]
        # ";" is the character after the ":" that follows the hour.
        end = bisect_left(ordered, f"{hour};", start)
        try:
            if _HOUR.fullmatch(hour) is None:
                return None
            seconds = int(datetime.fromisoformat(f"{hour}:00:00+00:00").timestamp())
        except ValueError:
            return None
        total += seconds * (end - start)
        start = end
    return total


def _rewritten(stamp: str, index: int) -> str:
    try:
        return rfc3339(msgspec.convert(stamp, _Aware))
    except (msgspec.ValidationError, OverflowError) as error:
        raise UnreadableStamp(index) from error
