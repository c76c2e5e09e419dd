"""
Queries of the trail, for the command line and the web pages; ``connection`` is one from `reading`.

`list_messages` and `list_refusals` take a `TrailFilter` and return the newest matches first; `load_trail` returns all
that is kept of one message, with the state of each recipient; `list_outcomes` returns the last replies of a
destination. Texts are as servers, senders and clients wrote them: sanitise them before printing. Addresses are as they
were stored, possibly masked. Each filter has an index.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from exporter.clock import unix_second
from exporter.model.delivery import Outcome
from exporter.model.trail import (
    MessageKind,
    MessageTrail,
    Refusal,
    RefusalReason,
    TrailMessage,
    TrailOutcome,
    TrailRecipient,
    TrailStep,
)
from exporter.store.trail.filter import Route, TrailFilter, message_routes, refusal_routes
from exporter.store.trail.masking import Addresses, AddressMask
from exporter.store.trail.recipients import recipient_states
from exporter.store.trail.schema import from_key, to_key

T = TypeVar("T")

MOST_CAUSED = 100
"""The most bounces and automatic answers returned with a message."""


def servers_of(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the servers that the trail has anything of."""
    found: set[str] = set()
    for table in ("trail_message", "trail_refusal", "trail_outcome"):
        last: str | None = ""
        while last is not None:
            sql = f"SELECT min(server) FROM {table} WHERE server > ?"  # noqa: S608 - a name from our own schema
            last = connection.execute(sql, (last,)).fetchone()[0]
            found.update([last] if last is not None else ())
    return sorted(found)


def list_messages(connection: sqlite3.Connection, wanted: TrailFilter, *, most: int) -> Sequence[TrailMessage]:
    """Return the *most* recently accepted messages that match, newest first."""
    rows = _newest(connection, wanted, message_routes, lambda row: (row["server"], row["queue_id"]), most)
    return [_message(row) for row in rows] if wanted.wants_messages else []


def list_refusals(connection: sqlite3.Connection, wanted: TrailFilter, *, most: int) -> Sequence[Refusal]:
    """Return the *most* recent refusals that match, newest first."""
    rows = _newest(connection, wanted, refusal_routes, tuple, most)
    return [_refusal(row) for row in rows] if wanted.wants_refusals else []


def load_trail(connection: sqlite3.Connection, server: str, queue_id: int, *, now: datetime) -> MessageTrail | None:
    """
    Return everything kept of one message; ``None`` if nothing is.

    *now* decides whether a recipient's time has expired.
    """
    key = (server, to_key(queue_id))
    row = connection.execute("SELECT * FROM trail_message WHERE server = ? AND queue_id = ?", key).fetchone()
    outcomes = _numbered(connection, "trail_outcome", key, _outcome)
    if row is None and not outcomes:
        return None
    message = _message(row) if row is not None else _only_outcomes(server, queue_id, outcomes[0][1].at)
    steps = _numbered(connection, "trail_step", key, _step)
    timeline: list[tuple[datetime, int, TrailStep | TrailOutcome]] = [
        *((one.at, number, one) for number, one in outcomes),
        *((one.at, number, one) for number, one in steps),
    ]
    timeline.sort(key=lambda entry: entry[:2])
    return MessageTrail(
        message=message,
        recipients=_recipients(connection, message, timeline, now),
        timeline=[one for _, _, one in timeline],
        caused=_caused(connection, server, queue_id),
    )


def list_outcomes(
    connection: sqlite3.Connection, domain: str, *, server: str | None = None, since: datetime | None = None, most: int
) -> Sequence[TrailOutcome]:
    """
    Return the *most* recent outcomes of deliveries to *domain*, newest first.

    That of a deferral has the text and the host of the last failure of its attempt, as far as it is kept.
    """
    found: list[TrailOutcome] = []
    for name in servers_of(connection) if server is None else (server,):
        rows = connection.execute(
            "SELECT * FROM trail_outcome WHERE server = ? AND domain = ? AND at >= ? ORDER BY at DESC LIMIT ?",
            (name, domain, 0 if since is None else unix_second(since), most),
        )
        found += [_explained(connection, row) for row in rows]
    return sorted(found, key=lambda one: one.at, reverse=True)[:most]


def address_mask(connection: sqlite3.Connection) -> AddressMask:
    """Return the mask by which an exact address can be found in this history."""
    row = connection.execute("SELECT secret FROM trail_key").fetchone()
    return AddressMask(Addresses.HASHED, bytes(row[0]))


_Routes = Callable[[TrailFilter, str, Sequence[str], Sequence[str]], Iterator[Route]]


def _newest(
    connection: sqlite3.Connection,
    wanted: TrailFilter,
    routes: _Routes,
    identity: Callable[[sqlite3.Row], object],
    most: int,
) -> Sequence[sqlite3.Row]:
    """Return the newest rows of all routes, without repetitions."""
    mask = address_mask(connection)
    forms = mask.searched(wanted.address) if wanted.address is not None else ()
    accounts = mask.searched_account(wanted.account) if wanted.account is not None else ()
    found: dict[object, sqlite3.Row] = {}
    for server in servers_of(connection) if wanted.server is None else (wanted.server,):
        for route in routes(wanted, server, forms, accounts):
            for row in islice(_distinct(connection.execute(route.sql, route.parameters), identity), most):
                found[identity(row)] = row
    return sorted(found.values(), key=lambda row: row["at"], reverse=True)[:most]


def _distinct(rows: Iterable[sqlite3.Row], identity: Callable[[sqlite3.Row], object]) -> Iterator[sqlite3.Row]:
    seen: set[object] = set()
    for row in rows:
        one = identity(row)
        if one not in seen:
            seen.add(one)
            yield row


def _numbered(
    connection: sqlite3.Connection, table: str, key: tuple[str, int], read: Callable[[sqlite3.Row], T]
) -> list[tuple[int, T]]:
    sql = f"SELECT * FROM {table} WHERE server = ? AND queue_id = ? ORDER BY at, number"  # noqa: S608 - a name from our own schema
    return [(row["number"], read(row)) for row in connection.execute(sql, key)]


def _recipients(
    connection: sqlite3.Connection,
    message: TrailMessage,
    timeline: Sequence[tuple[datetime, int, TrailStep | TrailOutcome]],
    now: datetime,
) -> Sequence[TrailRecipient]:
    rows = connection.execute(
        "SELECT address, domain, queue_name FROM trail_recipient WHERE server = ? AND queue_id = ? ORDER BY address",
        (message.server, to_key(message.queue_id)),
    )
    known = [(row["address"], row["domain"], row["queue_name"]) for row in rows]
    return recipient_states(message, known, [one for _, _, one in timeline], now)


def _caused(connection: sqlite3.Connection, server: str, queue_id: int) -> Sequence[TrailMessage]:
    rows = connection.execute(
        "SELECT * FROM trail_message INDEXED BY trail_message_cause"
        " WHERE server = ? AND cause <> 0 AND cause = ? ORDER BY at LIMIT ?",
        (server, to_key(queue_id), MOST_CAUSED),
    )
    return [_message(row) for row in rows]


def _explained(connection: sqlite3.Connection, row: sqlite3.Row) -> TrailOutcome:
    outcome = _outcome(row)
    if outcome.outcome is not Outcome.TEMPORARY_FAILURE or not outcome.queue_id:
        return outcome
    step = connection.execute(
        "SELECT hostname, text FROM trail_step WHERE server = ? AND queue_id = ? AND at BETWEEN ? - 3600 AND ?"
        " AND queue_name = ? AND text <> '' ORDER BY code = ? DESC, at DESC, number DESC LIMIT 1",
        (row["server"], row["queue_id"], row["at"], row["at"] + 2, row["queue_name"], row["code"]),
    ).fetchone()
    return outcome if step is None else _outcome(row, hostname=step["hostname"], text=step["text"])


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _moment_or_none(second: int | None) -> datetime | None:
    return None if second is None else _moment(second)


def _message(row: sqlite3.Row) -> TrailMessage:
    return TrailMessage(
        server=row["server"],
        queue_id=from_key(row["queue_id"]),
        seen_at=_moment(row["at"]),
        accepted_at=_moment_or_none(row["accepted_at"]),
        kind=MessageKind(row["kind"]),
        listener=row["listener"],
        remote_ip=row["remote_ip"],
        account=row["account"],
        sender=row["sender"],
        size=row["size"],
        recipients=row["recipients"],
        expires=_moment_or_none(row["expires_at"]),
        cause=from_key(row["cause"]),
        message_id=row["message_id"],
    )


def _only_outcomes(server: str, queue_id: int, at: datetime) -> TrailMessage:
    """Return a message of which nothing but outcomes is kept."""
    return TrailMessage(
        server=server,
        queue_id=queue_id,
        seen_at=at,
        accepted_at=None,
        kind=MessageKind.UNKNOWN,
        listener="",
        remote_ip="",
        account="",
        sender="",
        size=0,
        recipients=0,
        expires=None,
        cause=0,
        message_id="",
    )


def _outcome(row: sqlite3.Row, *, hostname: str = "", text: str = "") -> TrailOutcome:
    return TrailOutcome(
        server=row["server"],
        at=_moment(row["at"]),
        queue_id=from_key(row["queue_id"]),
        queue_name=row["queue_name"],
        outcome=Outcome(row["outcome"]),
        reason=row["reason"],
        code=row["code"],
        domain=row["domain"],
        recipient=row["recipient"],
        hostname=row["hostname"] or hostname,
        text=row["text"] or text,
        source=row["source"],
    )


def _step(row: sqlite3.Row) -> TrailStep:
    return TrailStep(
        at=_moment(row["at"]),
        event_id=row["event"],
        queue_name=row["queue_name"],
        recipient=row["recipient"],
        hostname=row["hostname"],
        domain=row["domain"],
        code=row["code"],
        text=row["text"],
        next_retry=_moment_or_none(row["next_at"]),
    )


def _refusal(row: sqlite3.Row) -> Refusal:
    return Refusal(
        server=row["server"],
        at=_moment(row["at"]),
        reason=RefusalReason(row["reason"]),
        event_id=row["event"],
        listener=row["listener"],
        remote_ip=row["remote_ip"],
        remote_port=row["remote_port"],
        account=row["account"],
        sender=row["sender"],
        recipient=row["recipient"],
        size=row["size"],
        code=row["code"],
        text=row["text"],
        is_inferred=bool(row["inferred"]),
    )
