"""
The trail for one reader: everything, or what a single domain may see.

The limit is part of each reading, so whoever shows the results, a terminal or a page, cannot forget it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from exporter.domains import domain_of
from exporter.model.trail import MessageTrail, Refusal, TrailMessage, TrailOutcome, TrailStep
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.masking import AddressMask
from exporter.store.trail.queries import (
    address_mask,
    list_messages,
    list_outcomes,
    list_refusals,
    load_trail,
    servers_of,
)
from exporter.store.trail.scope import (
    limited_message,
    limited_outcome,
    limited_refusal,
    limited_text,
    limited_trail,
)

BATCH = 200
"""Messages or refusals per query of an export."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """
    What the trail covers of a server.

    Attributes:
        oldest_at: Of the oldest message or refusal.
        newest_at: Of the newest message, outcome or refusal.
        source: What the newest outcome was counted from: ``log``, ``traces``, ``live`` or ``webhook``; may be empty.
    """

    server: str
    oldest_at: datetime
    newest_at: datetime
    source: str


class TrailReader:
    """
    Reads the trail from *connection*, which comes from `reading`.

    Args:
        only_domain: The one domain that the reader may know of, as from `domain_name`; ``None``: all.
    """

    def __init__(self, connection: sqlite3.Connection, *, only_domain: str | None = None) -> None:
        self._connection = connection
        self.only_domain = only_domain

    @property
    def servers(self) -> Sequence[str]:
        """The servers that the trail has anything of."""
        return servers_of(self._connection)

    def mask(self) -> AddressMask:
        """Return the mask by which an exact address is found."""
        return address_mask(self._connection)

    def messages(self, wanted: TrailFilter, *, most: int) -> Sequence[TrailMessage]:
        """Return the *most* recently accepted messages that match, newest first."""
        found = list_messages(self._connection, self._limited(wanted), most=most)
        return found if self.only_domain is None else [limited_message(one, self.only_domain) for one in found]

    def refusals(self, wanted: TrailFilter, *, most: int) -> Sequence[Refusal]:
        """Return the *most* recent refusals that match, newest first."""
        found = list_refusals(self._connection, self._limited(wanted), most=most)
        return found if self.only_domain is None else [limited_refusal(one, self.only_domain) for one in found]

    def trail(self, server: str, queue_id: int, *, now: datetime) -> MessageTrail | None:
        """Return everything kept of one message; ``None`` if nothing is."""
        found = load_trail(self._connection, server, queue_id, now=now)
        return None if found is None else self.limit(found, now)

    def limit(self, trail: MessageTrail, now: datetime) -> MessageTrail | None:
        """Return what the reader may see of a message; ``None`` if that is nothing."""
        return trail if self.only_domain is None else limited_trail(trail, self.only_domain, now)

    def outcomes(self, domain: str, *, server: str | None, since: datetime | None, most: int) -> Sequence[TrailOutcome]:
        """Return the *most* recent outcomes of deliveries to *domain*, newest first, of all messages."""
        if self.only_domain not in (None, domain):
            return []
        found = list_outcomes(self._connection, domain, server=server, since=since, most=most)
        return found if self.only_domain is None else [limited_outcome(one, domain) for one in found]

    def attempt_events(self, domain: str, *, server: str, since: datetime | None, most: int) -> Sequence[TrailStep]:
        """Return the steps that name *domain* as destination, newest first, of the *most* recent messages to it."""
        if self.only_domain not in (None, domain):
            return []
        rows = self._connection.execute(
            "SELECT s.at, s.event, s.queue_name, s.hostname, s.domain, s.code, s.text FROM ("
            "SELECT queue_id FROM trail_recipient WHERE server = ?1 AND domain = ?2 AND at >= ?3"
            " ORDER BY at DESC LIMIT ?4"
            ") r CROSS JOIN trail_step s ON s.server = ?1 AND s.queue_id = r.queue_id AND s.domain = ?2"
            " GROUP BY s.queue_id, s.at, s.number ORDER BY s.at DESC, s.number DESC",
            (server, domain, 0 if since is None else int(since.timestamp()), most),
        )
        return [
            TrailStep(
                at=datetime.fromtimestamp(row["at"], UTC),
                event_id=row["event"],
                queue_name=row["queue_name"],
                recipient="",
                hostname=row["hostname"] if self.only_domain is None else "",
                domain=domain,
                code=row["code"],
                text=row["text"] if self.only_domain is None else limited_text(row["text"], domain),
                next_retry=None,
            )
            for row in rows
        ]

    def iterate_messages(self, wanted: TrailFilter) -> Iterator[TrailMessage]:
        """Yield all messages that match, newest first; only those of a second or a batch are in memory."""
        for one in _all(self._connection, self._limited(wanted), list_messages, lambda one: one.seen_at):
            yield one if self.only_domain is None else limited_message(one, self.only_domain)

    def iterate_refusals(self, wanted: TrailFilter) -> Iterator[Refusal]:
        """Yield all refusals that match, newest first; only those of a second or a batch are in memory."""
        for one in _all(self._connection, self._limited(wanted), list_refusals, lambda one: one.at):
            yield one if self.only_domain is None else limited_refusal(one, self.only_domain)

    def span(self, server: str) -> Span | None:
        """Return what the trail covers of *server*; ``None`` if it has no message and no refusal of it."""
        row = self._connection.execute(_SPAN, {"server": server}).fetchone()
        if row["oldest"] is None:
            return None
        return Span(
            server=server,
            oldest_at=datetime.fromtimestamp(row["oldest"], UTC),
            newest_at=datetime.fromtimestamp(row["newest"], UTC),
            source=row["source"] or "",
        )

    def recent_addresses(self, domain: str, *, most: int) -> Sequence[str]:
        """Return addresses of *domain*, as stored, of the *most* recent recipients and senders with it."""
        if self.only_domain not in (None, domain):
            return []
        found: dict[str, None] = {}
        for server in self.servers:
            for sql in _RECENT_ADDRESSES:
                rows = self._connection.execute(sql, (server, domain, most))
                found.update(dict.fromkeys(row[0] for row in rows if domain_of(row[0]) == domain))
        return list(found)

    def recent_domains(self, *, most: int) -> Sequence[str]:
        """Return the domains of the senders and recipients of the *most* recent messages; only one's own if limited."""
        if self.only_domain is not None:
            return [self.only_domain]
        found: dict[str, None] = {}
        for server in self.servers:
            for row in self._connection.execute(_RECENT_DOMAINS, (server, most)):
                found.update(dict.fromkeys(name for name in row if name))
        return list(found)

    def _limited(self, wanted: TrailFilter) -> TrailFilter:
        return wanted if self.only_domain is None else replace(wanted, only_domain=self.only_domain)


T = TypeVar("T", TrailMessage, Refusal)


def _all(
    connection: sqlite3.Connection,
    wanted: TrailFilter,
    listed: Callable[..., Sequence[T]],
    moment_of: Callable[[T], datetime],
) -> Iterator[T]:
    """Yield everything that matches; each query begins with the second at which the last one ended."""
    seen: set[T] = set()
    most = BATCH
    while found := listed(connection, wanted, most=most):
        fresh = [one for one in found if one not in seen]
        yield from fresh
        last = moment_of(found[-1])
        if len(found) < most:
            return
        # More of one second than a batch holds: the next query has to reach beyond it.
        most = most if fresh else 2 * most
        seen = {one for one in found if moment_of(one) == last}
        wanted = replace(wanted, until=last + timedelta(seconds=1))


_SPAN = """
WITH last AS (
    SELECT o.at, o.source
    FROM (SELECT queue_id FROM trail_message WHERE server = :server ORDER BY at DESC LIMIT 50) m
    CROSS JOIN trail_outcome o ON o.server = :server AND o.queue_id = m.queue_id
)
SELECT
    (SELECT min(at) FROM (
        SELECT min(at) AS at FROM trail_message WHERE server = :server
        UNION ALL SELECT min(at) FROM trail_refusal WHERE server = :server)) AS oldest,
    (SELECT max(at) FROM (
        SELECT max(at) AS at FROM trail_message WHERE server = :server
        UNION ALL SELECT max(at) FROM trail_refusal WHERE server = :server
        UNION ALL SELECT max(at) FROM last)
    ) AS newest,
    (SELECT source FROM last ORDER BY at DESC LIMIT 1) AS source
"""
_RECENT_ADDRESSES = (
    "SELECT address FROM trail_recipient WHERE server = ? AND domain = ? ORDER BY at DESC LIMIT ?",
    "SELECT sender FROM trail_message WHERE server = ? AND sender_domain <> '' AND sender_domain = ?"
    " ORDER BY at DESC LIMIT ?",
    "SELECT recipient FROM trail_refusal WHERE server = ? AND recipient_domain <> '' AND recipient_domain = ?"
    " ORDER BY at DESC LIMIT ?",
)
_RECENT_DOMAINS = (
    "SELECT m.sender_domain, r.domain FROM (SELECT server, queue_id, sender_domain FROM trail_message WHERE server = ?"
    " ORDER BY at DESC LIMIT ?) m LEFT JOIN trail_recipient r ON r.server = m.server AND r.queue_id = m.queue_id"
)
