"""Recipients that still wait after a failed attempt, by destination: what is stuck."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exporter.clock import unix_second
from exporter.store.trail.recipients import LOST_AFTER
from exporter.store.trail.schema import from_key

LOOK_BACK = timedelta(days=2)
"""A message that waits is tried again more often than this."""

MOST_ATTEMPTS = 3000
"""The newest failed attempts whose messages are looked at; of more, every number is a lower bound."""

EXAMPLES = 5

_WAITING = """
    WITH tried AS (
        SELECT queue_id, max(at) AS at FROM (
            SELECT queue_id, at FROM trail_outcome INDEXED BY trail_outcome_deferred
            WHERE server = :server AND outcome = 'temporary_failure' AND at >= :since AND queue_id <> 0
            ORDER BY at DESC LIMIT :most
        ) GROUP BY queue_id
    )
    SELECT r.domain, r.queue_id, tried.at AS tried_at, m.at AS accepted_at
    FROM tried
    CROSS JOIN trail_message AS m ON m.server = :server AND m.queue_id = tried.queue_id
    CROSS JOIN trail_recipient AS r ON r.server = :server AND r.queue_id = tried.queue_id
    WHERE (m.expires_at IS NULL OR m.expires_at >= :expired) AND NOT EXISTS (
        SELECT 1 FROM trail_outcome AS o INDEXED BY trail_outcome_message
        WHERE o.server = :server AND o.queue_id = r.queue_id AND o.recipient = r.address
            AND o.outcome <> 'temporary_failure'
    )
    ORDER BY tried.at DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckDestination:
    """
    What waits for one destination.

    Attributes:
        oldest_at: When the oldest of the messages was accepted.
        tried_at: The newest failed attempt.
        examples: Queue ids of the messages that were tried last, newest first.
    """

    server: str
    domain: str
    recipients: int
    messages: int
    oldest_at: datetime
    tried_at: datetime
    examples: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """The destinations with most waiting recipients first; *truncated*: more attempts failed than were looked at."""

    destinations: Sequence[StuckDestination]
    truncated: bool


def list_stuck(connection: sqlite3.Connection, servers: Sequence[str], *, now: datetime) -> Stuck:
    """Return what waits on *servers*."""
    found: list[StuckDestination] = []
    truncated = False
    for server in servers:
        values = {
            "server": server,
            "since": unix_second(now - LOOK_BACK),
            "expired": unix_second(now - LOST_AFTER),
            "most": MOST_ATTEMPTS,
        }
        rows = connection.execute(_WAITING, values).fetchall()
        by_domain: dict[str, list[sqlite3.Row]] = {}
        for row in rows:
            by_domain.setdefault(row["domain"], []).append(row)
        found += [_destination(server, domain, of) for domain, of in by_domain.items()]
        truncated = truncated or _attempts(connection, values) >= MOST_ATTEMPTS
    found.sort(key=lambda one: (-one.recipients, one.server, one.domain))
    return Stuck(destinations=found, truncated=truncated)


def _attempts(connection: sqlite3.Connection, values: dict[str, object]) -> int:
    row = connection.execute(
        "SELECT count(*) FROM (SELECT 1 FROM trail_outcome INDEXED BY trail_outcome_deferred"
        " WHERE server = :server AND outcome = 'temporary_failure' AND at >= :since LIMIT :most)",
        values,
    ).fetchone()
    return int(row[0])


def _destination(server: str, domain: str, rows: Sequence[sqlite3.Row]) -> StuckDestination:
    ids = dict.fromkeys(row["queue_id"] for row in rows)
    return StuckDestination(
        server=server,
        domain=domain,
        recipients=len(rows),
        messages=len(ids),
        oldest_at=datetime.fromtimestamp(min(row["accepted_at"] for row in rows), UTC),
        tried_at=datetime.fromtimestamp(rows[0]["tried_at"], UTC),
        examples=[from_key(id_) for id_ in list(ids)[:EXAMPLES]],
    )
