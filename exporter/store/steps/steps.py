"""Writing and reading steps."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from exporter.model.trail import RefusalReason
from exporter.store.store import Store

STEP_SECONDS = 300
KEEP_STEPS = 8 * 288
"""Eight days of steps."""

LATE_STEPS = 3
"""How many of the latest steps are counted again: a refusal may be read from the log after the step it belongs to."""

TRAIL_SECONDS = 86_400
"""Refusals are known if the trail has anything younger than this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """
    The numbers of one server at the end of a step.

    Attributes:
        at: The end, in Unix seconds.
        messages, due: Messages in the queue, and recipients whose next retry is overdue; ``None`` while unknown.
        oldest_seconds: The age of the oldest message; ``None`` if the queue is empty or unknown.
        delivered, temporary_failures, permanent_failures: Totals of outcomes.
        spam, logins_failed: Totals of messages stored as spam, and of failed logins; ``None`` if the server does not
            report them.
        refused_spam, refused_logins, refused_others: Refusals within the step: as spam, of failed logins, for other
            reasons; ``None`` without a trail.
    """

    at: int
    messages: int | None = None
    oldest_seconds: int | None = None
    due: int | None = None
    delivered: int = 0
    temporary_failures: int = 0
    permanent_failures: int = 0
    spam: int | None = None
    logins_failed: int | None = None
    refused_spam: int | None = None
    refused_logins: int | None = None
    refused_others: int | None = None


_COLUMNS = tuple(field.name for field in fields(Step))

_INSERT = f"INSERT OR REPLACE INTO step (server, {', '.join(_COLUMNS)}) VALUES (?{', ?' * len(_COLUMNS)})"  # noqa: S608 - our own names

_REFUSED = "UPDATE step SET refused_spam = ?, refused_logins = ?, refused_others = ? WHERE server = ? AND at = ?"

_HAS_TRAIL = """
    SELECT EXISTS (SELECT 1 FROM trail_message WHERE server = ?1 AND at > ?2)
        OR EXISTS (SELECT 1 FROM trail_refusal WHERE server = ?1 AND at > ?2)
"""

_REFUSALS = """
    SELECT (at + ?2 - 1) / ?2 * ?2, reason, count(*) FROM trail_refusal WHERE server = ?1 AND at > ?3 AND at <= ?4
    GROUP BY 1, 2
"""

_KINDS: Mapping[str, str] = {
    RefusalReason.SPAM_DISCARDED.value: "refused_spam",
    RefusalReason.SPAM_REJECTED.value: "refused_spam",
    RefusalReason.AUTHENTICATION.value: "refused_logins",
    # A sender that is greylisted delivers a little later.
    RefusalReason.GREYLISTED.value: "",
}


class _Refused(NamedTuple):
    spam: int = 0
    logins: int = 0
    others: int = 0


async def save_steps(store: Store, steps: Mapping[str, Step], *, seconds: int) -> None:
    """
    Write the steps of all servers, each *seconds* long, and delete those that are too old. Raises `StoreError`.

    Their refusals, and those of the steps just before, are counted from the trail.
    """

    def write(connection: sqlite3.Connection) -> None:
        for server, step in steps.items():
            connection.execute(_INSERT, (server, *(getattr(step, name) for name in _COLUMNS)))
            for at, refused in _refusals(connection, server, step.at, seconds).items():
                connection.execute(_REFUSED, (*refused, server, at))
        # Of all servers, also of those that are no longer watched.
        oldest = max((step.at for step in steps.values()), default=0) - KEEP_STEPS * seconds
        connection.execute("DELETE FROM step WHERE at < ?", (oldest,))

    await store.write(write)


def load_steps(connection: sqlite3.Connection, server: str, *, since: int) -> Sequence[Step]:
    """Return the steps of *server* that end after *since* (Unix seconds), oldest first."""
    sql = f"SELECT {', '.join(_COLUMNS)} FROM step WHERE server = ? AND at > ? ORDER BY at"  # noqa: S608 - our own names
    return [Step(**dict(zip(_COLUMNS, row, strict=True))) for row in connection.execute(sql, (server, since))]


def _refusals(connection: sqlite3.Connection, server: str, at: int, seconds: int) -> Mapping[int, _Refused]:
    """Return the refusals of the latest steps by their end; empty if refusals are not known."""
    if not connection.execute(_HAS_TRAIL, (server, at - TRAIL_SECONDS)).fetchone()[0]:
        return {}
    ends = [at - n * seconds for n in range(LATE_STEPS)]
    found = {end: _Refused() for end in ends}
    for end, reason, count in connection.execute(_REFUSALS, (server, seconds, ends[-1] - seconds, at)):
        column = _KINDS.get(reason, "refused_others").removeprefix("refused_")
        if column:
            found[end] = found[end]._replace(**{column: getattr(found[end], column) + count})
    return found
