"""64-bit ids that begin with their creation time, for messages, spans and reports."""

from __future__ import annotations

EPOCH_SECONDS = 1_632_280_000
NODE_BITS = 9
TIME_SHIFT = 21


def first_id_at(seconds: float) -> int:
    """The smallest id that the millisecond of `seconds` (Unix time) can have."""
    return int((seconds - EPOCH_SECONDS) * 1000) << TIME_SHIFT


def created_at(snowflake: int) -> float:
    """Creation time of an id in Unix seconds, to the millisecond."""
    return (snowflake >> TIME_SHIFT) / 1000 + EPOCH_SECONDS


class Snowflakes:
    """Hands out strictly ascending ids of one node."""

    def __init__(self, node: int = 156) -> None:
        self._node = node
        self._last = 0

    def next(self, seconds: float) -> int:
        """An id created at `seconds` (Unix time), above every earlier one."""
        candidate = first_id_at(seconds) | self._node
        if candidate <= self._last:
            candidate = self._last + (1 << NODE_BITS)
        self._last = candidate
        return candidate
