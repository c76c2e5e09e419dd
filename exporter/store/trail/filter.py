"""Filters on the trail, and the ways to find what matches them by an index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from exporter.clock import unix_second
from exporter.domains import domain_of
from exporter.model.delivery import Outcome
from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.trail.schema import to_key


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter:
    """
    Conditions that a message or a refusal must all meet; ``None`` matches everything.

    Attributes:
        queue_id: A message, and those that it caused.
        address: An address in full, as sender or recipient; also found if it was stored hashed.
        domain: The domain of the sender or of a recipient, as from `domain_name`.
        message_id: The header ``Message-ID``, without angle brackets, where the server has reported it.
        account: The authenticated account, as the server names it.
        remote_ip: The client's address; matches refusals only.
        since: Earliest time of acceptance or refusal, inclusive.
        until: Latest time, exclusive.
        outcome: At least one outcome of this kind.
        kind: How the message came into the queue.
        reason: Why it was refused; matches refusals only.
        only_domain: The domain that a reader is limited to: nothing is found that has it on neither side.
    """

    server: str | None = None
    queue_id: int | None = None
    address: str | None = None
    domain: str | None = None
    message_id: str | None = None
    account: str | None = None
    remote_ip: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcome: Outcome | None = None
    kind: MessageKind | None = None
    reason: RefusalReason | None = None
    only_domain: str | None = None

    @property
    def wants_messages(self) -> bool:
        """Whether a message can match."""
        return self.reason is None and self.remote_ip is None

    @property
    def wants_refusals(self) -> bool:
        """Whether a refusal can match: it has no queue id, no message id, no outcome and no kind."""
        return self.queue_id is None and self.message_id is None and self.outcome is None and self.kind is None


class Route(NamedTuple):
    """A way to the wanted rows, newest first, each from one index; a row may come more than once."""

    sql: str
    parameters: Sequence[object]


# The planner has no statistics of these tables; without INDEXED BY it reads all of a server's mail in order of time.
_MESSAGES = "SELECT m.* FROM trail_message m {} WHERE m.server = ?"
_BY_RECIPIENT = (
    "SELECT m.* FROM trail_recipient r {} CROSS JOIN trail_message m ON m.server = r.server AND m.queue_id = r.queue_id"
    " WHERE r.server = ?"
)
_REFUSALS = "SELECT m.* FROM trail_refusal m {} WHERE m.server = ?"
# The sign keeps the planner from looking through all recipients of the domain instead of those of the message.
_HAS_DOMAIN = (
    "(m.sender_domain = ? OR EXISTS (SELECT 1 FROM trail_recipient x"
    " WHERE x.server = m.server AND x.queue_id = m.queue_id AND +x.domain = ?))"
)
_HAS_ADDRESS = (
    "(m.sender IN (?, ?) OR EXISTS (SELECT 1 FROM trail_recipient x"
    " WHERE x.server = m.server AND x.queue_id = m.queue_id AND x.address IN (?, ?)))"
)
_HAS_OUTCOME = (
    "EXISTS (SELECT 1 FROM trail_outcome o WHERE o.server = m.server AND o.queue_id = m.queue_id AND o.outcome = ?)"
)
_REFUSED_DOMAIN = "? IN (m.sender_domain, m.recipient_domain)"
_REFUSED_ADDRESS = "(m.sender IN (?, ?) OR m.recipient IN (?, ?))"


def message_routes(wanted: TrailFilter, server: str, forms: Sequence[str], accounts: Sequence[str]) -> Iterator[Route]:
    """
    Yield the ways to the messages of one *server* that match *wanted*.

    *forms* are the two stored forms of the wanted address, *accounts* those of the account.
    """
    rest = _Conditions(wanted)
    if wanted.address is not None:
        rest.add(_HAS_ADDRESS, *forms, *forms)
    for domain in (wanted.domain, wanted.only_domain):
        if domain is not None:
            rest.add(_HAS_DOMAIN, domain, domain)
    if wanted.account is not None:
        rest.add("m.account IN (?, ?)", *accounts)
    if wanted.outcome is not None:
        rest.add(_HAS_OUTCOME, wanted.outcome.value)
    if wanted.only_domain is not None:
        _limit(rest, wanted, wanted.only_domain, forms)
    if wanted.kind is not None:
        rest.add("m.kind = ?", wanted.kind.value)
    if wanted.queue_id is not None:
        key = to_key(wanted.queue_id)
        yield rest.route(_MESSAGES, server, "m.queue_id = ?", key)
        yield rest.route(_MESSAGES, server, "m.cause <> 0 AND m.cause = ?", key, index="message_cause")
    elif wanted.message_id is not None:
        by_header = "m.message_id <> '' AND m.message_id = ?"
        yield rest.route(_MESSAGES, server, by_header, wanted.message_id, index="message_header")
    elif wanted.address is not None:
        for form in dict.fromkeys(forms):
            yield rest.route(_MESSAGES, server, "m.sender <> '' AND m.sender = ?", form, index="message_sender")
            yield rest.route(_BY_RECIPIENT, server, "r.address = ?", form, by="r", index="recipient_address")
    elif (domain := wanted.domain or wanted.only_domain) is not None:
        by_sender = "m.sender_domain <> '' AND m.sender_domain = ?"
        yield rest.route(_MESSAGES, server, by_sender, domain, index="message_sender_domain")
        yield rest.route(_BY_RECIPIENT, server, "r.domain = ?", domain, by="r", index="recipient_domain")
    else:
        yield rest.route(_MESSAGES, server, index="message_at")


def _limit(rest: _Conditions, wanted: TrailFilter, only: str, forms: Sequence[str]) -> None:
    """
    Let a reader who is limited to one domain find nothing by the other recipients of the mail that it has received.

    That they are there would be learned from the message being found, even if nothing of them is shown.
    """
    if wanted.address is not None and domain_of(wanted.address) != only:
        rest.add("(m.sender_domain = ? OR m.sender IN (?, ?))", only, *forms)
    if wanted.domain is not None and wanted.domain != only:
        rest.add("m.sender_domain IN (?, ?)", only, wanted.domain)
    if wanted.account is not None:
        rest.add("m.sender_domain = ?", only)
    if wanted.outcome is not None:
        rest.add(f"(m.sender_domain = ? OR {_HAS_OUTCOME[:-1]} AND o.domain = ?))", only, wanted.outcome.value, only)


def refusal_routes(wanted: TrailFilter, server: str, forms: Sequence[str], accounts: Sequence[str]) -> Iterator[Route]:
    """Yield the ways to the refusals of one *server* that match *wanted*."""
    rest = _Conditions(wanted)
    if wanted.address is not None:
        rest.add(_REFUSED_ADDRESS, *forms, *forms)
    for domain in (wanted.domain, wanted.only_domain):
        if domain is not None:
            rest.add(_REFUSED_DOMAIN, domain)
    if wanted.account is not None:
        rest.add("m.account IN (?, ?)", *accounts)
    if wanted.reason is not None:
        rest.add("m.reason = ?", wanted.reason.value)
    if wanted.remote_ip is not None:
        rest.add("m.remote_ip = ?", wanted.remote_ip)
    if wanted.address is not None:
        for form in dict.fromkeys(forms):
            yield rest.route(_REFUSALS, server, "m.sender <> '' AND m.sender = ?", form, index="refusal_sender")
            by_recipient = "m.recipient <> '' AND m.recipient = ?"
            yield rest.route(_REFUSALS, server, by_recipient, form, index="refusal_recipient")
    elif (domain := wanted.domain or wanted.only_domain) is not None:
        by_sender = "m.sender_domain <> '' AND m.sender_domain = ?"
        by_recipient = "m.recipient_domain <> '' AND m.recipient_domain = ?"
        yield rest.route(_REFUSALS, server, by_sender, domain, index="refusal_sender_domain")
        yield rest.route(_REFUSALS, server, by_recipient, domain, index="refusal_recipient_domain")
    elif wanted.account is not None:
        for account in dict.fromkeys(accounts):
            yield rest.route(_REFUSALS, server, "m.account <> '' AND m.account = ?", account, index="refusal_account")
    elif wanted.remote_ip is not None:
        by_client = "m.remote_ip <> '' AND m.remote_ip = ?"
        yield rest.route(_REFUSALS, server, by_client, wanted.remote_ip, index="refusal_client")
    else:
        yield rest.route(_REFUSALS, server)


class _Conditions:
    """The conditions that hold on every route; times are compared in the table that a route is ordered by."""

    def __init__(self, wanted: TrailFilter) -> None:
        self._parts: list[str] = []
        self._values: list[object] = []
        self._since = None if wanted.since is None else unix_second(wanted.since)
        self._until = None if wanted.until is None else unix_second(wanted.until)

    def add(self, sql: str, *values: object) -> None:
        """Add a condition on ``m``."""
        self._parts.append(sql)
        self._values += values

    def route(
        self, select: str, server: str, found_by: str = "", *values: object, by: str = "m", index: str = ""
    ) -> Route:
        """Return the route of *select* that is found *by* the *index* of a table with the condition *found_by*."""
        parts, parameters = [select.format(f"INDEXED BY trail_{index}" if index else "")], [server, *values]
        if found_by:
            parts.append(found_by)
        for sql, second in ((f"{by}.at >= ?", self._since), (f"{by}.at < ?", self._until)):
            if second is not None:
                parts.append(sql)
                parameters.append(second)
        sql = " AND ".join([*parts, *self._parts])
        return Route(f"{sql} ORDER BY {by}.at DESC", [*parameters, *self._values])
