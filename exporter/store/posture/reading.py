"""The checks' history as the command line reads it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.model.posture import Check, CheckOutcome, CheckResult, CheckState
from exporter.store.posture.details import unpack_details

_STATES = "SELECT * FROM posture WHERE (:server IS NULL OR server = :server) AND (:domain IS NULL OR domain = :domain)"
_CHANGES = """
    SELECT at, check_name, result, seen FROM posture_change WHERE server = ? AND domain = ? ORDER BY at DESC LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class StoredState:
    """A check's latest result, with its server."""

    server: str
    state: CheckState


def read_states(
    connection: sqlite3.Connection, *, server: str | None = None, domain: str | None = None
) -> Iterator[StoredState]:
    """Yield the latest results by server, domain and check."""
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
    """Return the newest changes of a domain's results: ``at``, ``check_name``, ``result`` and ``seen``."""
    return connection.execute(_CHANGES, (server, domain, most)).fetchall()
