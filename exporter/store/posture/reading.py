"""The checks' history as commands and pages read it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.model.posture import Check, CheckOutcome, CheckResult, CheckState
from exporter.store.posture.details import unpack_details

# '|' separates a part from its owner, see `exporter.model.posture.subject_of`; '}' is the next character.
_STATES = """
    SELECT * FROM posture
    WHERE (:server IS NULL OR server = :server)
        AND (:domain IS NULL OR domain = :domain OR (domain > :domain || '|' AND domain < :domain || '}'))
"""
_CHANGES = """
    SELECT at, domain, check_name, result, seen FROM posture_change
    WHERE server = :server AND (domain = :domain OR (domain > :domain || '|' AND domain < :domain || '}'))
    ORDER BY at DESC, domain, check_name LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class StoredState:
    """A check's latest result, with its server."""

    server: str
    state: CheckState


def read_states(
    connection: sqlite3.Connection, *, server: str | None = None, domain: str | None = None
) -> Iterator[StoredState]:
    """Yield the latest results by server, domain and check; those of a domain's parts as well."""
    order = {check.value: place for place, check in enumerate(Check)}
    rows = connection.execute(_STATES, {"server": server, "domain": domain}).fetchall()
    for row in sorted(rows, key=lambda r: (r["server"], r["domain"], order.get(r["check_name"], len(order)))):
        if row["check_name"] in order:
            yield StoredState(row["server"], _state(row))


def _state(row: sqlite3.Row) -> CheckState:
    return CheckState(
        outcome=CheckOutcome(
            domain=row["domain"],
            check=Check(row["check_name"]),
            result=CheckResult(row["result"]),
            **unpack_details(row["detail"]),
        ),
        known=None if row["known"] is None else CheckResult(row["known"]),
        changed_at=row["changed_at"],
        checked_at=row["checked_at"],
    )


def read_changes(connection: sqlite3.Connection, server: str, domain: str, *, most: int) -> list[sqlite3.Row]:
    """
    Return the newest changes of a domain's results, and of its parts.

    Columns: ``at``, ``domain`` (the subject), ``check_name``, ``result`` and ``seen``.
    """
    return connection.execute(_CHANGES, {"server": server, "domain": domain, "most": most}).fetchall()
