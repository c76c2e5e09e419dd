"""
The counting of submissions, inside the transaction that writes their rows of the trail.

A message counts when it is first known as a submission, from any source; a failure with the row of its
outcome, and a refusal with its own row. Each of these rows is written once, so each counts once.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from exporter.domains import UNKNOWN_DOMAIN, domain_of
from exporter.model.queue import OTHER_DOMAIN
from exporter.model.senders import HOUR_SECONDS
from exporter.model.trail import MessageKind

MAX_DESTINATIONS = 5000
"""The most different destinations counted per sender and hour; the number is exact up to here."""

MAX_DOMAINS = 10_000
"""The most sender domains counted by name and server: a client may name any."""

_SUBMITTED = MessageKind.SUBMITTED.value
_KNOWN = "SELECT queue_id FROM trail_message WHERE server = ? AND kind = ? AND queue_id IN ({marks})"
_PART = 400
_SENDER_OF = "SELECT account, sender, kind FROM trail_message WHERE server = ? AND queue_id = ?"
_ADD = (
    "INSERT INTO sender_hour (server, sender, hour, domain, messages, recipients, destinations, failures, rejects)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (server, sender, hour) DO UPDATE SET"
    " domain = CASE excluded.domain WHEN '' THEN domain ELSE excluded.domain END,"
    " messages = messages + excluded.messages, recipients = recipients + excluded.recipients,"
    " destinations = destinations + excluded.destinations, failures = failures + excluded.failures,"
    " rejects = rejects + excluded.rejects"
)
_DESTINATION = "INSERT OR IGNORE INTO sender_destination VALUES (?, ?, ?, ?)"
_DESTINATIONS = "SELECT destinations FROM sender_hour WHERE server = ? AND sender = ? AND hour = ?"
_ADD_DOMAIN = (
    "INSERT INTO sender_domain (server, domain, messages) VALUES (?, ?, ?) ON CONFLICT (server, domain) DO UPDATE SET"
    " messages = messages + excluded.messages"
)
_HAS_DOMAIN = "SELECT 1 FROM sender_domain WHERE server = ? AND domain = ?"
_COUNT_DOMAINS = "SELECT count(*) FROM sender_domain WHERE server = ?"


@dataclass(slots=True)
class _Added:
    """What one transaction adds to a sender's hour."""

    domain: str = ""
    messages: int = 0
    recipients: int = 0
    failures: int = 0
    rejects: int = 0
    addresses: list[str] = field(default_factory=list)


def sender_of(account: str, sender: str) -> str:
    """Return who sent a message: the account or, where none is known, the envelope sender."""
    return account or sender


def known_submissions(connection: sqlite3.Connection, server: str, keys: Collection[int]) -> set[int]:
    """Return which of the messages with these *keys* of `to_key` are already stored as submissions."""
    ordered = list(keys)
    known: set[int] = set()
    for start in range(0, len(ordered), _PART):
        part = ordered[start : start + _PART]
        sql = _KNOWN.format(marks=", ".join("?" * len(part)))
        known.update(row[0] for row in connection.execute(sql, (server, _SUBMITTED, *part)))
    return known


class SenderCounter:
    """What one step of counting adds for the senders of one *server*; requires an open transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        server: str,
        *,
        max_destinations: int = MAX_DESTINATIONS,
        max_domains: int = MAX_DOMAINS,
    ) -> None:
        self._connection = connection
        self._max_destinations = max_destinations
        self._max_domains = max_domains
        self._server = server
        self._hours: dict[tuple[str, int], _Added] = {}
        self._domains: Counter[str] = Counter()

    def submitted(self, *, account: str, sender: str, at: int, recipients: int, addresses: Iterable[str]) -> None:
        """Count a submission; *addresses* are those of its recipients that are kept."""
        domain = domain_of(sender)
        self._domains[domain or UNKNOWN_DOMAIN] += 1
        added = self._added(sender_of(account, sender), at)
        if added is None:
            return
        added.domain = domain or added.domain
        added.messages += 1
        added.recipients += recipients
        added.addresses += [address for address in addresses if domain_of(address) != domain]

    def failed(self, key: int, at: int) -> None:
        """Count a recipient that failed permanently, if the message with this *key* of `to_key` was submitted."""
        row = self._connection.execute(_SENDER_OF, (self._server, key)).fetchone()
        if row is not None and row[2] == _SUBMITTED:
            added = self._added(sender_of(row[0], row[1]), at)
            if added is not None:
                added.failures += 1

    def refused(self, account: str, at: int) -> None:
        """Count a refusal of a session, if it was authenticated."""
        added = self._added(account, at)
        if added is not None:
            added.rejects += 1

    def write(self) -> None:
        """Write what was counted."""
        for (sender, hour), added in self._hours.items():
            destinations = self._add_destinations(sender, hour, added.addresses)
            self._connection.execute(
                _ADD,
                (
                    self._server,
                    sender,
                    hour,
                    added.domain,
                    added.messages,
                    added.recipients,
                    destinations,
                    added.failures,
                    added.rejects,
                ),
            )
        self._write_domains(self._domains)

    def _added(self, sender: str, at: int) -> _Added | None:
        if not sender:
            return None
        return self._hours.setdefault((sender, at // HOUR_SECONDS), _Added())

    def _add_destinations(self, sender: str, hour: int, addresses: Iterable[str]) -> int:
        """Remember the destinations of an hour and return how many are new."""
        new = dict.fromkeys(addresses)
        if not new:
            return 0
        row = self._connection.execute(_DESTINATIONS, (self._server, sender, hour)).fetchone()
        before = 0 if row is None else row[0]
        added = 0
        for address in new:
            if before + added >= self._max_destinations:
                break
            added += self._connection.execute(_DESTINATION, (self._server, hour, sender, address)).rowcount
        return added

    def _write_domains(self, domains: Mapping[str, int]) -> None:
        for domain, messages in domains.items():
            name = domain
            if self._connection.execute(_HAS_DOMAIN, (self._server, domain)).fetchone() is None:
                count = self._connection.execute(_COUNT_DOMAINS, (self._server,)).fetchone()[0]
                name = domain if count < self._max_domains else OTHER_DOMAIN
            self._connection.execute(_ADD_DOMAIN, (self._server, name, messages))
