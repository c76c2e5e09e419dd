"""
The trail as a reader sees it who may know of one domain only.

Of the other domains nothing is left: no address, no name of a host, no reply. A message that the domain has sent keeps
how each of its recipients fared; of a message that it has received, only its own recipients remain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from exporter.domains import domain_name, domain_of
from exporter.model.delivery import Outcome
from exporter.model.trail import (
    HIDDEN,
    Mailbox,
    MessageTrail,
    Refusal,
    TrailMessage,
    TrailOutcome,
    TrailRecipient,
    TrailStep,
)
from exporter.model.trail_event import NULL_SENDER
from exporter.store.trail.recipients import recipient_states

LOCAL_HOSTS = ("", "localhost")

OF_MAILBOX = ("message-ingest.", "limit.quota")
"""How the events begin that show the inside of a mailbox."""

_NAME = re.compile(r"\S*@\S*|(?:[\w-]+\.)+[^\W\d][\w-]*")
"""Anything in a text that may be an address or a name with a dot whose last label is not a number."""


def sent_by(message: TrailMessage, domain: str) -> bool:
    """Whether *domain* has sent the message; it is then its own business how the recipients fared."""
    return domain_of(message.sender) == domain


def limited_message(message: TrailMessage, domain: str) -> TrailMessage:
    """Return a message as *domain* may see it."""
    own = sent_by(message, domain)
    return replace(
        message,
        sender=message.sender if own or message.sender in ("", NULL_SENDER) else HIDDEN,
        account=_account(message.account, domain) if own else "",
        message_id=message.message_id if domain_of(message.message_id) == domain else "",
        cause=message.cause if own or message.sender == NULL_SENDER else 0,
    )


def limited_refusal(refusal: Refusal, domain: str) -> Refusal:
    """Return a refusal as *domain* may see it."""
    own = domain_of(refusal.sender) == domain
    return replace(
        refusal,
        sender=refusal.sender if own or refusal.sender in ("", NULL_SENDER) else HIDDEN,
        recipient=refusal.recipient if domain_of(refusal.recipient) == domain or not refusal.recipient else HIDDEN,
        account=_account(refusal.account, domain) if own else "",
        text=limited_text(refusal.text, domain),
    )


def limited_trail(trail: MessageTrail, domain: str, now: datetime) -> MessageTrail | None:
    """Return what *domain* may see of a message; ``None`` if it has no part in it."""
    own = sent_by(trail.message, domain)
    mine = [recipient for recipient in trail.recipients if recipient.domain == domain]
    if not own and not mine:
        return None
    timeline = [
        seen for one in trail.timeline if (seen := _limited_entry(one, domain, trail.message, mine)) is not None
    ]
    message = limited_message(trail.message, domain)
    message = message if own else replace(message, recipients=len(mine))
    known = [(recipient.address, recipient.domain, recipient.queue_name) for recipient in mine]
    states = recipient_states(message, known, [one for one in timeline if _concerns(one, domain)], now) if mine else ()
    others = [_hidden(one) for one in trail.recipients if one.domain != domain] if own else []
    caused = [limited_message(one, domain) for one in trail.caused if own or sent_by(one, domain)]
    return MessageTrail(message=message, recipients=[*states, *others], timeline=timeline, caused=caused)


def limited_outcome(outcome: TrailOutcome, domain: str) -> TrailOutcome:
    """Return an outcome of a delivery to *domain* itself, without the names of others."""
    return replace(
        outcome,
        domain=domain,
        recipient=outcome.recipient if domain_of(outcome.recipient) == domain else "",
        hostname=_host(outcome.hostname, domain),
        text=limited_text(outcome.text, domain),
    )


def limited_text(text: str, domain: str) -> str:
    """Return a text without the addresses and names of other domains."""
    return _NAME.sub(lambda found: found[0] if _is_own(found[0], domain) else HIDDEN, text)


def _is_own(name: str, domain: str) -> bool:
    own = domain_of(name) if "@" in name else domain_name(name)
    return own == domain


def _limited_entry(
    one: TrailStep | TrailOutcome, domain: str, message: TrailMessage, mine: Sequence[TrailRecipient]
) -> TrailStep | TrailOutcome | None:
    """Return an entry of the timeline: of the domain's own recipients in full, of others at most that it happened."""
    is_mine = domain_of(one.recipient) == domain if one.recipient else one.domain == domain
    if is_mine:
        if isinstance(one, TrailOutcome):
            return limited_outcome(one, domain)
        return replace(one, hostname=_host(one.hostname, domain), domain=domain, text=limited_text(one.text, domain))
    if isinstance(one, TrailStep) and one.event_id.startswith(OF_MAILBOX) and not mine:
        return None
    shared = not one.recipient and any(recipient.queue_name == one.queue_name for recipient in mine)
    if not sent_by(message, domain) and not (shared and _is_general(one)):
        return None
    return replace(one, recipient=HIDDEN if one.recipient else "", hostname="", domain="", text="")


def _is_general(one: TrailStep | TrailOutcome) -> bool:
    """Whether an entry without a recipient concerns all recipients of its virtual queue."""
    return isinstance(one, TrailStep) or one.outcome is Outcome.TEMPORARY_FAILURE


def _concerns(one: TrailStep | TrailOutcome, domain: str) -> bool:
    return not one.recipient or domain_of(one.recipient) == domain


def _hidden(recipient: TrailRecipient) -> TrailRecipient:
    return replace(recipient, address=HIDDEN, domain="", hostname="", text="", mailbox=Mailbox.UNKNOWN)


def _host(hostname: str, domain: str) -> str:
    return hostname if hostname in LOCAL_HOSTS or limited_text(hostname, domain) == hostname else ""


def _account(account: str, domain: str) -> str:
    return account if "@" not in account or domain_of(account) == domain else ""
