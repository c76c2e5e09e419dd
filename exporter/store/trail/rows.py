"""What a step of counting adds to the trail, and its writing inside the transaction that counts it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.domains import domain_of
from exporter.model.delivery import Outcome
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.inserts import Insert
from exporter.store.trail.schema import to_key
from exporter.store.trail.senders.rows import SenderCounter, known_submissions

INFERRED_NEAR_SECONDS = 900
"""An inferred refusal is dropped if a named one of the same session was stored at most this long after it."""

MESSAGE = Insert(
    "trail_message",
    15,
    "ON CONFLICT (server, queue_id) DO UPDATE SET"
    " at = min(at, excluded.at),"
    " accepted_at = coalesce(accepted_at, excluded.accepted_at),"
    " kind = CASE kind WHEN '' THEN excluded.kind ELSE kind END,"
    " listener = CASE listener WHEN '' THEN excluded.listener ELSE listener END,"
    " remote_ip = CASE remote_ip WHEN '' THEN excluded.remote_ip ELSE remote_ip END,"
    " account = CASE account WHEN '' THEN excluded.account ELSE account END,"
    " sender_domain = CASE sender WHEN '' THEN excluded.sender_domain ELSE sender_domain END,"
    " sender = CASE sender WHEN '' THEN excluded.sender ELSE sender END,"
    " size = CASE size WHEN 0 THEN excluded.size ELSE size END,"
    " recipients = max(recipients, excluded.recipients),"
    " expires_at = coalesce(excluded.expires_at, expires_at),"
    " cause = CASE cause WHEN 0 THEN excluded.cause ELSE cause END,"
    " message_id = CASE message_id WHEN '' THEN excluded.message_id ELSE message_id END",
)
"""Several events and sources describe a message, in any order: what is known stays, what was unknown is filled in."""

RECIPIENT = Insert(
    "trail_recipient",
    6,
    "ON CONFLICT (server, queue_id, address) DO UPDATE SET queue_name = excluded.queue_name"
    " WHERE excluded.queue_name <> '' AND queue_name <> excluded.queue_name",
)
OUTCOME = Insert(
    "trail_outcome (server, queue_id, at, outcome, reason, code, domain, queue_name, recipient, hostname, text, source,"
    " number)",
    13,
)
STEP = Insert("trail_step", 12, "ON CONFLICT DO NOTHING")
REFUSAL = Insert("trail_refusal", 16, "ON CONFLICT DO NOTHING")

_NAMED_NEAR = (
    "SELECT 1 FROM trail_refusal"
    " WHERE server = ? AND at BETWEEN ? AND ? AND remote_ip = ? AND remote_port = ? AND inferred = 0"
)


@dataclass(slots=True)
class MessageRow:
    """What is known of one message; unknown parts are left empty. Addresses are masked."""

    queue_id: int
    at: int
    accepted_at: int | None = None
    kind: MessageKind = MessageKind.UNKNOWN
    listener: str = ""
    remote_ip: str = ""
    account: str = ""
    sender: str = ""
    size: int = 0
    recipients: int = 0
    expires_at: int | None = None
    cause: int = 0
    message_id: str = ""


class OutcomeRow(NamedTuple):
    """One counted outcome."""

    queue_id: int
    at: int
    outcome: str
    reason: str
    code: str
    domain: str
    queue_name: str
    recipient: str
    hostname: str
    text: str
    source: str
    number: int


class StepRow(NamedTuple):
    """One event of a message's history that is not an outcome."""

    queue_id: int
    at: int
    event: str
    queue_name: str
    recipient: str
    hostname: str
    domain: str
    code: str
    text: str
    next_at: int | None
    number: int


class RefusalRow(NamedTuple):
    """One refusal."""

    at: int
    event: str
    remote_ip: str
    remote_port: int
    recipient: str
    reason: RefusalReason
    listener: str
    account: str
    sender: str
    size: int
    code: str
    text: str
    inferred: bool


@dataclass(slots=True)
class TrailRows:
    """
    Rows that are written together.

    Attributes:
        messages: By queue id.
        recipients: The virtual queue, or empty, and the Unix second, by queue id and masked address.
        outcomes: Exactly those that the same transaction counts.
    """

    messages: dict[int, MessageRow] = field(default_factory=dict)
    recipients: dict[tuple[int, str], tuple[str, int]] = field(default_factory=dict)
    outcomes: list[OutcomeRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)
    refusals: list[RefusalRow] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.messages) + len(self.recipients) + len(self.outcomes) + len(self.steps) + len(self.refusals)

    def write(self, connection: sqlite3.Connection, server: str) -> None:
        """Write the rows, and count them for their senders; requires an open transaction."""
        submitted = {to_key(row.queue_id): row for row in self.messages.values() if row.kind is MessageKind.SUBMITTED}
        known = known_submissions(connection, server, submitted)
        senders = SenderCounter(connection, server)
        MESSAGE.write(connection, [value for row in self.messages.values() for value in _message(server, row)])
        RECIPIENT.write(
            connection,
            [
                value
                for (queue_id, address), (queue_name, at) in self.recipients.items()
                for value in (server, to_key(queue_id), address, domain_of(address), queue_name, at)
            ],
        )
        OUTCOME.write(connection, [value for row in self.outcomes for value in (server, to_key(row[0]), *row[1:])])
        STEP.write(connection, [value for row in self.steps for value in (server, to_key(row[0]), *row[1:])])
        for refusal in self.refusals:
            if _write_refusal(connection, server, refusal) and refusal.reason is not RefusalReason.AUTHENTICATION:
                senders.refused(refusal.account, refusal.at)
        self._count(senders, [row for key, row in submitted.items() if key not in known])
        senders.write()

    def _count(self, senders: SenderCounter, submitted: Sequence[MessageRow]) -> None:
        """Count new submissions, and the recipients that have failed permanently."""
        addresses: dict[int, list[str]] = {row.queue_id: [] for row in submitted}
        for queue_id, address in self.recipients if submitted else ():
            if queue_id in addresses:
                addresses[queue_id].append(address)
        for row in submitted:
            senders.submitted(
                account=row.account,
                sender=row.sender,
                at=row.accepted_at or row.at,
                recipients=row.recipients,
                addresses=addresses[row.queue_id],
            )
        for outcome in self.outcomes:
            if outcome.outcome == Outcome.PERMANENT_FAILURE and outcome.queue_id:
                senders.failed(to_key(outcome.queue_id), outcome.at)


def trail_writer(
    parts: Sequence[TrailRows], server: str, also: Callable[[sqlite3.Connection], None] | None = None
) -> Callable[[sqlite3.Connection], None]:
    """Return what writes *also*, and then *parts*, inside an open transaction."""

    def write(connection: sqlite3.Connection) -> None:
        if also is not None:
            also(connection)
        for part in parts:
            part.write(connection, server)

    return write


def _message(server: str, row: MessageRow) -> tuple[object, ...]:
    return (
        server,
        to_key(row.queue_id),
        row.at,
        row.accepted_at,
        row.kind.value,
        row.listener,
        row.remote_ip,
        row.account,
        row.sender,
        domain_of(row.sender),
        row.size,
        row.recipients,
        row.expires_at,
        to_key(row.cause),
        row.message_id,
    )


def _write_refusal(connection: sqlite3.Connection, server: str, row: RefusalRow) -> bool:
    """Write a refusal and return whether it is new."""
    if row.inferred:
        near = (server, row.at, row.at + INFERRED_NEAR_SECONDS, row.remote_ip, row.remote_port)
        if connection.execute(_NAMED_NEAR, near).fetchone() is not None:
            return False
    written = connection.execute(
        REFUSAL.one,
        (
            server,
            row.at,
            row.event,
            row.remote_ip,
            row.remote_port,
            row.recipient,
            domain_of(row.recipient),
            row.reason.value,
            row.listener,
            row.account,
            row.sender,
            domain_of(row.sender),
            row.size,
            row.code,
            row.text,
            int(row.inferred),
        ),
    )
    return written.rowcount > 0
