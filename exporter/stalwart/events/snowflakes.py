"""
Ids that begin with the time of their making.

Contract: Stalwart v0.10-v0.16, ids of spans: milliseconds since 2021-09-22T03:06:40Z in the upper 43 bits.
"""

from __future__ import annotations

_EPOCH_SECONDS = 1_632_280_000
_TIME_SHIFT = 21


def second_of(id_: int) -> int:
    """When the thing of this id began, in Unix seconds."""
    return (id_ >> _TIME_SHIFT) // 1000 + _EPOCH_SECONDS
