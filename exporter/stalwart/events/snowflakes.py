"""
Snowflake ids, which contain their creation time.

Contract: Stalwart v0.10-v0.16, ids of spans, reports and rows of metrics. The upper 43 bits are milliseconds since
2021-09-22T03:06:40Z, followed by a sequence number and, in the lower 9 bits, the cluster node.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH_SECONDS = 1_632_280_000
_EPOCH = datetime.fromtimestamp(_EPOCH_SECONDS, UTC)
_TIME_SHIFT = 21
_NODE_BITS = 9


def second_of(id_: int) -> int:
    """Return when the id was created, in whole Unix seconds."""
    return (id_ >> _TIME_SHIFT) // 1000 + _EPOCH_SECONDS


def moment_of(id_: int) -> datetime:
    """Return when the id was created, to the millisecond, in UTC."""
    return _EPOCH + timedelta(milliseconds=id_ >> _TIME_SHIFT)


def node_of(id_: int) -> int:
    """Return the cluster node that created the id."""
    return id_ & ((1 << _NODE_BITS) - 1)
