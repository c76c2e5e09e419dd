"""
Queries of the senders, for the daemon and the command line.

Names are as they were stored, possibly masked, and as clients wrote them: sanitise them before printing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.model.senders import DAY_HOURS, KEEP_HOURS, SenderHour

LATE_HOURS = 2
"""Hours before the current one whose destinations are kept: late lines of a log may still belong to them."""

PRUNED_AT_ONCE = 2000

BUSY_HOURS = (
    "SELECT sender, hour, messages, recipients, destinations, failures, rejects FROM sender_hour"
    " WHERE server = ? AND hour >= ? AND (messages > ? OR destinations > ? OR failures > ? OR rejects > ?)"
)
PAST = (
    "SELECT hour, messages, recipients, destinations, failures, rejects FROM sender_hour"
    " WHERE server = ? AND sender = ? AND hour > ?"
)
BUSY_DAYS = (
    "SELECT sender, sum(destinations) FROM sender_hour WHERE server = ? AND hour > ? AND hour <= ?"
    " GROUP BY sender HAVING sum(destinations) > ?"
)
SUBMITTING = "SELECT count(DISTINCT sender) FROM sender_hour WHERE server = ? AND hour > ? AND messages > 0"
UNCOUNTED = "SELECT domain, messages, counted FROM sender_domain WHERE server = ? AND messages > counted"
HAS_TRAIL = "SELECT 1 FROM trail_message WHERE server = ? LIMIT 1"

_PRUNE = (
    "DELETE FROM sender_hour WHERE (server, sender, hour) IN"
    " (SELECT server, sender, hour FROM sender_hour WHERE server = ? AND hour <= ? LIMIT ?)"
)
_PRUNE_DESTINATIONS = (
    "DELETE FROM sender_destination WHERE (server, hour, sender, destination) IN"
    " (SELECT server, hour, sender, destination FROM sender_destination WHERE server = ? AND hour < ? LIMIT ?)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSum:
    """The sums of one sender, or of one domain, over some hours; *last_hour* is the latest with anything in it."""

    server: str
    name: str
    domain: str
    total: SenderHour
    last_hour: int


def hour_of(row: Sequence[int]) -> SenderHour:
    """Return the five numbers of a row."""
    messages, recipients, destinations, failures, rejects = row
    return SenderHour(
        messages=messages, recipients=recipients, destinations=destinations, failures=failures, rejects=rejects
    )


def past_of(rows: Iterable[Sequence[int]]) -> Mapping[int, SenderHour]:
    """Return the hours of `PAST`."""
    return {row[0]: hour_of(tuple(row)[1:]) for row in rows}


def counting(
    server: str, counted: Mapping[str, int], *, prune_before: int | None
) -> Callable[[sqlite3.Connection], None]:
    """
    Return what notes which submissions are *counted*, by domain, and, in the current hour *prune_before*, deletes a
    batch of what is no longer needed; requires an open transaction.
    """

    def write(connection: sqlite3.Connection) -> None:
        rows = [(messages, server, domain) for domain, messages in counted.items()]
        connection.executemany("UPDATE sender_domain SET counted = ? WHERE server = ? AND domain = ?", rows)
        if prune_before is not None:
            connection.execute(_PRUNE, (server, prune_before - KEEP_HOURS, PRUNED_AT_ONCE))
            connection.execute(_PRUNE_DESTINATIONS, (server, prune_before - LATE_HOURS, PRUNED_AT_ONCE))

    return write


def servers_of(connection: sqlite3.Connection) -> Sequence[str]:
    """Return the servers with senders."""
    return [row[0] for row in connection.execute("SELECT DISTINCT server FROM sender_domain ORDER BY server")]


def load_past(connection: sqlite3.Connection, server: str, sender: str, hour: int) -> Mapping[int, SenderHour]:
    """Return the hours of one sender that are kept in the current hour *hour*."""
    return past_of(connection.execute(PAST, (server, sender, hour - KEEP_HOURS)))


ORDERS = ("messages", "recipients", "destinations", "failures", "rejects")
"""What senders can be ranked by."""


def top_senders(
    connection: sqlite3.Connection,
    *,
    server: str | None,
    domain: str | None,
    since_hour: int,
    by: str,
    by_domain: bool,
    most: int,
) -> Sequence[SenderSum]:
    """Return the sums since an hour, largest first; destinations are the sum of those of each hour."""
    if by not in ORDERS:
        raise ValueError(f"not one of {ORDERS}")
    name = "domain" if by_domain else "sender"
    sql = (
        f"SELECT server, {name} AS name, max(domain) AS domain,"  # noqa: S608 - our own words
        " sum(messages) AS messages, sum(recipients) AS recipients, sum(destinations) AS destinations,"
        " sum(failures) AS failures, sum(rejects) AS rejects, max(hour) AS last_hour"
        " FROM sender_hour INDEXED BY sender_hour_hour"
        " WHERE server = ?1 AND hour >= ?2 AND (?3 IS NULL OR domain = ?3)"
        f" GROUP BY {name} ORDER BY sum({by}) DESC, name LIMIT ?4"
    )
    rows: list[sqlite3.Row] = []
    for one in servers_of(connection) if server is None else (server,):
        rows += connection.execute(sql, (one, since_hour, domain, most)).fetchall()
    rows.sort(key=lambda row: (-row[by], row["name"]))
    return [
        SenderSum(
            server=row["server"],
            name=row["name"],
            domain=row["domain"],
            total=hour_of([row[name] for name in ORDERS]),
            last_hour=row["last_hour"],
        )
        for row in rows[:most]
    ]


def day_of(past: Mapping[int, SenderHour], day: int) -> SenderHour:
    """Return the sums of the Unix day *day*."""
    hours = [did for hour, did in past.items() if hour // DAY_HOURS == day]
    return hour_of([sum(getattr(did, name) for did in hours) for name in ORDERS])
