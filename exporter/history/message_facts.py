"""
What is known of a message or a refusal, as names and values and in short texts, for tables.

Texts are as servers, senders and clients wrote them: sanitise them before printing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from exporter.answers.answer import MessageEvidence
from exporter.answers.events import EXPIRED
from exporter.answers.fate import Fate
from exporter.answers.queue_state import Presence
from exporter.answers.standing import PENDING, Standing
from exporter.answers.texts import reply
from exporter.history.texts import moment, number
from exporter.model.delivery import Outcome
from exporter.model.trail import (
    MessageKind,
    MessageTrail,
    RecipientState,
    Refusal,
    TrailOutcome,
    TrailRecipient,
    TrailStep,
)
from exporter.stalwart.common.ids import encode_id

Fact = tuple[str, str]

FATE_WORDS: Mapping[Fate, str] = {
    Fate.DELIVERED: "Delivered",
    Fate.QUEUED: "Still in the queue",
    Fate.FAILED: "Failed",
    Fate.REFUSED: "Refused",
    Fate.UNKNOWN: "Unknown end",
    Fate.NOT_FOUND: "Not found",
}


def queue_id_words(queue_id: int) -> str:
    """Return a queue id in all its spellings."""
    return f"{queue_id} (hex {queue_id:x}, JMAP {encode_id(queue_id)})"


def message_facts(trail: MessageTrail) -> Iterator[Fact]:
    """Yield what is known of a message besides its recipients."""
    message = trail.message
    for name, value in (
        ("accepted", moment(message.accepted_at) if message.accepted_at else ""),
        ("first seen", "" if message.accepted_at else moment(message.seen_at)),
        ("kind", message.kind.value),
        ("sender", message.sender),
        ("account", message.account),
        ("client", f"{message.remote_ip} on {message.listener}" if message.remote_ip else ""),
        ("size", f"{number(message.size)} bytes" if message.size else ""),
        ("message id", message.message_id),
        ("caused by", str(message.cause) if message.cause else ""),
        ("caused", ", ".join(f"{one.kind.value or 'message'} {one.queue_id}" for one in trail.caused)),
    ):
        if value:
            yield name, value
    if message.kind is MessageKind.SUBMITTED and not message.account:
        yield "account", "unknown (submitted over JMAP, or the login was not seen)"


def presence(evidence: MessageEvidence) -> str:
    """Return whether a message is in its server's queue now, in words."""
    live = evidence.live
    if not any(one.state in (*PENDING, RecipientState.LOST) for one in evidence.standings):
        return "no: each recipient has its end"
    if live.presence is Presence.PRESENT:
        return "yes, and deliveries are paused" if live.running is False else "yes"
    if live.presence is Presence.ABSENT:
        return "no"
    return f"not known: {live.trouble or 'the server was not asked'}"


def waiting_facts(standings: Sequence[Standing]) -> Iterator[Fact]:
    """Yield when waiting recipients are tried again, and what holds them back."""
    waiting = [one for one in standings if one.state in PENDING]
    due = min((one.next_retry for one in waiting if one.next_retry is not None), default=None)
    expires = max((one.expires for one in waiting if one.expires is not None), default=None)
    for name, value in (
        ("attempts so far", str(max((one.attempts for one in waiting), default=0) or "")),
        ("next attempt", moment(due) if due is not None else ""),
        ("gives up", moment(expires) if expires is not None else ""),
        ("held back by", ", ".join(sorted({_held_by(one) for one in waiting} - {""}))),
    ):
        if value:
            yield name, value


def _held_by(one: Standing) -> str:
    if one.over_quota and one.state in PENDING:
        return "the mailbox's quota"
    return f"the server's own {one.limiter} limit" if one.limiter else ""


def state_words(one: TrailRecipient) -> str:
    """Return the state of a recipient, with the mailbox that it arrived in."""
    return one.state.value + (f" ({one.mailbox.value})" if one.mailbox.value else "")


def last_reply(one: TrailRecipient) -> str:
    """Return the last reply for a recipient, with its host."""
    said = reply(one.code, one.text) or one.reason.replace("_", " ")
    return f"{one.hostname}: {said}" if one.hostname and said else said or one.hostname


def entry_text(one: TrailStep | TrailOutcome) -> str:
    """Return the reply of an entry of a timeline, or when the next attempt is."""
    if isinstance(one, TrailOutcome):
        if one.outcome is not Outcome.TEMPORARY_FAILURE or one.text:
            return reply(one.code, one.text)
        return f"{_REASON_WORDS.get(one.reason, one.reason.replace('_', ' '))} {one.code}".strip()
    if one.next_retry is not None:
        return f"next attempt {moment(one.next_retry)}" if one.next_retry > one.at else "other recipients are not done"
    # The text of an expiry is repeated by the failure that follows it.
    return "" if one.event_id == EXPIRED else reply(one.code, one.text)


_REASON_WORDS = {"unknown": "no failure was reported"}


def outcome_text(one: TrailOutcome) -> str:
    """Return the reply of an outcome, else its reason."""
    return reply(one.code, one.text) or one.reason.replace("_", " ")


def refusal_facts(refusal: Refusal) -> Iterator[Fact]:
    """Yield what is known of a refusal."""
    for name, value in (
        ("server", refusal.server),
        ("time", moment(refusal.at)),
        ("reason", refusal.reason.value.replace("_", " ")),
        ("event", "none: inferred from the session" if refusal.is_inferred else refusal.event_id),
        ("sender", refusal.sender),
        ("recipient", refusal.recipient),
        ("account", refusal.account),
        ("client", f"{refusal.remote_ip} on {refusal.listener}" if refusal.remote_ip else ""),
        ("size", f"{number(refusal.size)} bytes" if refusal.size else ""),
        ("text", reply(refusal.code, refusal.text)),
    ):
        if value:
            yield name, value
