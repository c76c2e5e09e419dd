"""The state of each recipient of a message, from what is kept of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from exporter.model.delivery import Outcome
from exporter.model.trail import (
    Mailbox,
    RecipientState,
    TrailMessage,
    TrailOutcome,
    TrailRecipient,
    TrailStep,
)

QUOTA, OVER_QUOTA = "limit.quota", "The mailbox is over its quota."
EXPIRED, RESCHEDULED, EXPANDED = "delivery.failed", "queue.rescheduled", "smtp.rcpt-to"
HAM, SPAM = "message-ingest.ham", "message-ingest.spam"

LOST_AFTER = timedelta(hours=1)
"""How long after its expiry a recipient without an end is taken for lost."""

LONGEST = timedelta(days=7)
"""The expiry of a message if it is not reported: longer than the server's default."""

SAME_ATTEMPT = timedelta(seconds=5)
"""The longest time between a local delivery and the event of its mailbox."""

Known = tuple[str, str, str]
"""A recipient's address, domain and virtual queue, which may be empty."""

Timeline = Sequence[TrailStep | TrailOutcome]


def recipient_states(
    message: TrailMessage, known: Sequence[Known], timeline: Timeline, now: datetime
) -> Sequence[TrailRecipient]:
    """Return the recipients with their states; those of which only an outcome is kept are added."""
    addresses = {address for address, _, _ in known}
    others = {
        one.recipient: (one.recipient, one.domain, one.queue_name)
        for one in timeline
        if isinstance(one, TrailOutcome) and one.recipient and one.recipient not in addresses
    }
    return [_state(message, one, timeline, now) for one in (*known, *others.values())]


def _state(message: TrailMessage, known: Known, timeline: Timeline, now: datetime) -> TrailRecipient:
    address, domain, queue_name = known
    own = [one for one in timeline if isinstance(one, TrailOutcome) and one.recipient == address]
    if own:
        return _ended(known, own[-1], timeline)
    expanded = [one for one in timeline if isinstance(one, TrailStep) and one.event_id == EXPANDED]
    if not queue_name and any(step.recipient == address for step in expanded):
        return TrailRecipient(
            address=address, domain=domain, queue_name="", state=RecipientState.EXPANDED, at=message.seen_at
        )
    expires = message.expires or message.seen_at + LONGEST
    deferred = [one for one in timeline if isinstance(one, TrailOutcome) and _defers(one, queue_name)]
    state = RecipientState.DEFERRED if deferred else RecipientState.QUEUED
    if now > expires + LOST_AFTER:
        state = RecipientState.LOST
    if not deferred:
        return TrailRecipient(address=address, domain=domain, queue_name=queue_name, state=state, at=message.seen_at)
    last, failure = deferred[-1], _last_failure(timeline, address, queue_name)
    retries = [one for one in timeline if isinstance(one, TrailStep) and one.event_id == RESCHEDULED]
    retries = [one for one in retries if one.queue_name == last.queue_name]
    return TrailRecipient(
        address=address,
        domain=domain,
        queue_name=queue_name or last.queue_name,
        state=state,
        at=last.at,
        hostname=failure.hostname if failure else "",
        reason=last.reason,
        code=failure.code if failure and failure.code else last.code,
        text=_text(failure),
        next_retry=retries[-1].next_retry if retries and state is RecipientState.DEFERRED else None,
    )


def _ended(known: Known, last: TrailOutcome, timeline: Timeline) -> TrailRecipient:
    address, domain, queue_name = known
    state, mailbox = RecipientState.DELIVERED, Mailbox.UNKNOWN
    if last.outcome is Outcome.DELIVERED:
        mailbox = _mailbox(last, timeline)
    else:
        expired = any(
            isinstance(one, TrailStep)
            and one.event_id == EXPIRED
            and one.recipient in ("", address)
            and abs(one.at - last.at) <= SAME_ATTEMPT
            for one in timeline
        )
        state = RecipientState.EXPIRED if expired else RecipientState.BOUNCED
    return TrailRecipient(
        address=address,
        domain=domain,
        queue_name=queue_name or last.queue_name,
        state=state,
        at=last.at,
        mailbox=mailbox,
        hostname=last.hostname,
        reason=last.reason,
        code=last.code,
        text=last.text,
    )


def _mailbox(delivered: TrailOutcome, timeline: Timeline) -> Mailbox:
    """Return where a delivery arrived; the server does not name the recipient, so all of its attempt must agree."""
    kinds = {
        one.event_id
        for one in timeline
        if isinstance(one, TrailStep)
        and one.event_id in (HAM, SPAM)
        and one.queue_name == delivered.queue_name
        and abs(one.at - delivered.at) <= SAME_ATTEMPT
    }
    if kinds == {HAM}:
        return Mailbox.MAILBOX
    return Mailbox.JUNK if kinds == {SPAM} else Mailbox.UNKNOWN


def _text(failure: TrailStep | None) -> str:
    if failure is None:
        return ""
    return OVER_QUOTA if failure.event_id == QUOTA else failure.text


def _defers(outcome: TrailOutcome, queue_name: str) -> bool:
    return outcome.outcome is Outcome.TEMPORARY_FAILURE and (not queue_name or outcome.queue_name == queue_name)


def _last_failure(timeline: Timeline, address: str, queue_name: str) -> TrailStep | None:
    """Return the last failure that names the recipient, else the last of its virtual queue that names nobody."""
    failures = [
        one
        for one in timeline
        if isinstance(one, TrailStep)
        and one.event_id != RESCHEDULED
        and one.recipient in ("", address)
        and (not queue_name or one.queue_name == queue_name)
        and (one.text or one.code or one.event_id == QUOTA)
    ]
    own = [one for one in failures if one.recipient == address]
    found = own or failures
    return found[-1] if found else None
