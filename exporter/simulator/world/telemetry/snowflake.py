"""64-bit ids that begin with their creation time, for messages, spans and reports."""

from __future__ import annotations

EPOCH_SECONDS = 1_632_280_000
NODE_BITS = 9
TIME_SHIFT = 21
BACK_BITS = 4
MAX_BACK = 1 << BACK_BITS
SET_BACK = 1000 << TIME_SHIFT
"""One second earlier than the last id: the clock was set back."""


def first_id_at(seconds: float) -> int:
    """Return the smallest id of the millisecond of `seconds` (Unix time)."""
    return int((seconds - EPOCH_SECONDS) * 1000) << TIME_SHIFT


def created_at(snowflake: int) -> float:
    """Return the creation time of an id in Unix seconds, to the millisecond."""
    return (snowflake >> TIME_SHIFT) / 1000 + EPOCH_SECONDS


class Snowflakes:
    """Generates ids of one node, strictly ascending as long as its clock is not set back."""

    def __init__(self, node: int = 156) -> None:
        self._node = node
        self._last = 0
        self._times_back = 0

    def next(self, seconds: float) -> int:
        """Return an id created at `seconds` (Unix time), different from all earlier ones."""
        first = first_id_at(seconds)
        if first < self._last - SET_BACK:
            # Ids follow the clock: those of the same millisecond before it was set back have other numbers.
            self._times_back += 1
            self._last = 0
        candidate = first | self._node | self._times_back % MAX_BACK << TIME_SHIFT - BACK_BITS
        if candidate <= self._last:
            candidate = self._last + (1 << NODE_BITS)
        self._last = candidate
        return candidate
