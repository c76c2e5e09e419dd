"""A message that only the server's queue knows: it was accepted before the trail began, or is kept by no source."""

from __future__ import annotations

from exporter.answers.queue_state import WaitingMessage, WaitingRecipient
from exporter.domains import domain_of
from exporter.model.queue import RecipientStatus
from exporter.model.trail import MessageKind, MessageTrail, RecipientState, TrailMessage, TrailRecipient
from exporter.model.trail_event import NULL_SENDER
from exporter.stalwart.events.failures import classify_failure

_STATES = {
    RecipientStatus.SCHEDULED: RecipientState.QUEUED,
    RecipientStatus.TEMPORARY_FAILURE: RecipientState.DEFERRED,
    RecipientStatus.PERMANENT_FAILURE: RecipientState.BOUNCED,
    RecipientStatus.DELIVERED: RecipientState.DELIVERED,
}


def trail_of_queued(message: WaitingMessage, *, server: str, queue_id: int) -> MessageTrail:
    """Return what the queue holds of a message in the form of a trail, without a timeline."""
    return MessageTrail(
        message=TrailMessage(
            server=server,
            queue_id=queue_id,
            seen_at=message.created_at,
            accepted_at=message.created_at,
            kind=MessageKind.UNKNOWN,
            listener="",
            remote_ip="",
            account="",
            sender=message.sender or NULL_SENDER,
            size=message.size_bytes,
            recipients=len(message.recipients),
            expires=None,
            cause=0,
            message_id="",
        ),
        recipients=[_recipient(one, message) for one in message.recipients],
        timeline=[],
    )


def _recipient(one: WaitingRecipient, message: WaitingMessage) -> TrailRecipient:
    reason, code = classify_failure(one.reply) if one.reply else ("", "")
    return TrailRecipient(
        address=one.address.lower(),
        domain=domain_of(one.address),
        queue_name=one.queue_name,
        state=_STATES.get(one.status, RecipientState.QUEUED),
        at=message.created_at,
        reason=reason,
        code=code,
        text=one.reply,
        next_retry=one.next_retry_at,
    )
