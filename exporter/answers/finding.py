"""Finds what a question is about: in the trail, by each reading of it that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from exporter.answers.answer import MOST_MATCHES
from exporter.answers.asked import Asked
from exporter.domains import domain_of
from exporter.model.trail import MessageTrail, Refusal, TrailMessage
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """
    What the trail has about a question.

    Attributes:
        trail: The message that the question names, or the newest that matches; ``None`` if a refusal is newer.
        messages: All that match, newest first.
        refusals: All that match, newest first.
        addresses: The stored forms of the address in question.
        domain: The domain in question; ``None`` if the question was about a message or an address.
        by_domain_only: The address was found only by its domain, since no more of it was stored.
    """

    trail: MessageTrail | None = None
    messages: Sequence[TrailMessage] = ()
    refusals: Sequence[Refusal] = ()
    addresses: frozenset[str] = frozenset()
    domain: str | None = None
    by_domain_only: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not self.messages and not self.refusals


def find(reader: TrailReader, asked: Asked, wanted: TrailFilter, now: datetime) -> Found:
    """Return what the trail has about *asked* within *wanted*, which has the server and the times."""
    found = _by_queue_id(reader, asked, wanted, now)
    return found if not found.is_empty else _with_newest(reader, _by_text(reader, asked, wanted), now)


def _by_queue_id(reader: TrailReader, asked: Asked, wanted: TrailFilter, now: datetime) -> Found:
    servers = reader.servers if wanted.server is None else (wanted.server,)
    for queue_id in asked.queue_ids:
        for server in servers:
            trail = reader.trail(server, queue_id, now=now)
            if trail is not None:
                return Found(trail=trail, messages=[trail.message])
    return Found()


def _by_text(reader: TrailReader, asked: Asked, wanted: TrailFilter) -> Found:
    """Return the first reading that finds something: in angle brackets, a message id is more likely than an address."""
    in_brackets = asked.text.startswith("<")
    by_header = _by_header(reader, asked, wanted) if in_brackets else Found()
    if by_header.is_empty and asked.address is not None:
        by_address = _by_address(reader, asked.address, wanted)
        if not by_address.is_empty:
            return by_address
    if by_header.is_empty and not in_brackets:
        by_header = _by_header(reader, asked, wanted)
    if not by_header.is_empty:
        return by_header
    if asked.remote_ip is not None:
        return _search(reader, replace(wanted, remote_ip=asked.remote_ip))
    by_domain = Found()
    if asked.domain is not None:
        by_domain = replace(_search(reader, replace(wanted, domain=asked.domain)), domain=asked.domain)
    return _by_account(reader, asked.account, wanted) if by_domain.is_empty else by_domain


def _by_account(reader: TrailReader, account: str | None, wanted: TrailFilter) -> Found:
    """Return the refused logins and submissions of an account."""
    if account is None:
        return Found()
    return Found(refusals=reader.refusals(replace(wanted, account=account), most=MOST_MATCHES))


def _by_header(reader: TrailReader, asked: Asked, wanted: TrailFilter) -> Found:
    if asked.message_id is None:
        return Found()
    return _search(reader, replace(wanted, message_id=asked.message_id))


def _by_address(reader: TrailReader, address: str, wanted: TrailFilter) -> Found:
    forms = frozenset(reader.mask().searched(address))
    found = replace(_search(reader, replace(wanted, address=address)), addresses=forms)
    # A refused login has no sender; from v0.16 on, the account's name is its address.
    of_account = _by_account(reader, address, wanted).refusals
    if of_account:
        both = {*found.refusals, *of_account}
        found = replace(found, refusals=sorted(both, key=lambda one: one.at, reverse=True)[:MOST_MATCHES])
    if not found.is_empty:
        return found
    coarse = f"@{domain_of(address)}"
    found = _search(reader, replace(wanted, address=coarse))
    return replace(found, addresses=frozenset({coarse}), by_domain_only=True)


def _search(reader: TrailReader, wanted: TrailFilter) -> Found:
    # Of one second, the message with the greatest id came last.
    messages = sorted(
        reader.messages(wanted, most=MOST_MATCHES), key=lambda one: (one.seen_at, one.queue_id), reverse=True
    )
    return Found(messages=messages, refusals=reader.refusals(wanted, most=MOST_MATCHES))


def _with_newest(reader: TrailReader, found: Found, now: datetime) -> Found:
    """Return what was found with the newest message in full, unless a refusal is newer."""
    if not found.messages:
        return found
    newest = found.messages[0]
    if found.domain is None and found.refusals and found.refusals[0].at > newest.seen_at:
        return found
    return replace(found, trail=reader.trail(newest.server, newest.queue_id, now=now))
