"""Which destinations fail, since when, and with which reply, as the newest outcomes in the trail show it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import dropwhile, takewhile

from exporter.clock import unix_second
from exporter.model.delivery import Outcome

NEWEST_OUTCOMES = 4000
"""Outcomes of all servers that are searched for destinations that reject mail."""

FAILURES = 200
"""Outcomes of one destination that are searched for the last success."""

_REJECTING = """
    SELECT domain, count(*) FROM (SELECT * FROM trail_outcome ORDER BY id DESC LIMIT :most)
    WHERE server = :server AND outcome = 'permanent_failure' AND at >= :since AND domain <> ''
    GROUP BY domain ORDER BY 2 DESC, 1 LIMIT :shown
"""

_NEWEST = """
    SELECT at, outcome, code, reason FROM trail_outcome WHERE server = ? AND domain = ? AND at >= ?
    ORDER BY at DESC, id DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """
    The latest failures of one destination without a success between them.

    Attributes:
        first_at, last_at: The earliest and the latest of them.
        is_whole: Whether all of them were read; otherwise there are earlier failures.
        code: The latest reply code; empty if there was no reply.
        reason: The latest reason, as in ``stalwart_deliveries_total``.
    """

    first_at: datetime
    last_at: datetime
    is_whole: bool
    code: str
    reason: str


def rejecting(connection: sqlite3.Connection, server: str, *, since: datetime, most: int) -> Mapping[str, int]:
    """Return destinations with recipients that failed permanently among the newest outcomes; the *most* by number."""
    values = {"server": server, "since": unix_second(since), "shown": most, "most": NEWEST_OUTCOMES}
    return {row[0]: row[1] for row in connection.execute(_REJECTING, values)}


def failures_of(
    connection: sqlite3.Connection, server: str, domains: Sequence[str], *, since: datetime
) -> Mapping[str, Failures]:
    """Return the latest failures after *since* of each of *domains* that has any."""
    found: dict[str, Failures] = {}
    for domain in domains:
        rows = connection.execute(_NEWEST, (server, domain, unix_second(since), FAILURES)).fetchall()
        since_failure = dropwhile(_is_delivered, rows)
        failed = list(takewhile(lambda row: not _is_delivered(row), since_failure))
        if failed:
            at, _, code, reason = failed[0]
            found[domain] = Failures(
                first_at=datetime.fromtimestamp(failed[-1][0], UTC),
                last_at=datetime.fromtimestamp(at, UTC),
                is_whole=len(rows) < FAILURES or tuple(failed[-1]) != tuple(rows[-1]),
                code=code,
                reason=reason,
            )
    return found


def _is_delivered(row: sqlite3.Row) -> bool:
    return bool(row[1] == Outcome.DELIVERED.value)
