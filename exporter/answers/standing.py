"""How each recipient of a message stands: what the trail knows, corrected by what the server's queue holds now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.answers.queue_state import LiveState, Presence, Waiting, WaitingRecipient
from exporter.model.delivery import Outcome
from exporter.model.queue import RecipientStatus
from exporter.model.trail import MessageTrail, RecipientState, TrailOutcome, TrailRecipient, TrailStep

PENDING = (RecipientState.QUEUED, RecipientState.DEFERRED)
FAILED = (RecipientState.BOUNCED, RecipientState.EXPIRED)

LOCAL_HOST, LOCAL_QUEUE = "localhost", "local"
QUOTA_EVENT = "limit.quota"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """
    One recipient now.

    Attributes:
        state: As in the trail; ``LOST`` also if the server does not have the message any more.
        left_queue: The server was asked, and the message is not in its queue.
        attempts: Failed attempts so far; 0 if unknown.
        limiter: The server's own limit that holds it back: ``rate``, ``concurrency`` or empty.
        over_quota: The recipient's mailbox is known to be full.
        next_retry: ``None`` if there is none, or it is unknown; for one that left the queue, when it was planned.
        expires: When the server gives up; ``None`` if unknown.
        queue_reply: The last reply or error that the queue holds for it; empty if there is none.
    """

    recipient: TrailRecipient
    state: RecipientState
    left_queue: bool = False
    attempts: int = 0
    limiter: str = ""
    over_quota: bool = False
    next_retry: datetime | None = None
    expires: datetime | None = None
    queue_reply: str = ""

    @property
    def text(self) -> str:
        """The last reply or error: that of the trail, which has its code beside it, else that of the queue."""
        return self.recipient.text or self.queue_reply

    @property
    def is_local(self) -> bool:
        """Whether it is delivered into a mailbox of this server."""
        return self.recipient.hostname == LOCAL_HOST or self.recipient.queue_name == LOCAL_QUEUE


def standings(trail: MessageTrail, live: LiveState, waiting: Waiting) -> Sequence[Standing]:
    """Return how each recipient stands, those that the server replaced by others left out."""
    recipients = [one for one in trail.recipients if one.state is not RecipientState.EXPANDED]
    return [_standing(one, trail, live, waiting.get(one.address)) for one in recipients]


def _standing(
    recipient: TrailRecipient, trail: MessageTrail, live: LiveState, queued: WaitingRecipient | None
) -> Standing:
    attempts = _attempts(recipient, trail)
    quota = any(_is_quota(one, recipient) for one in trail.timeline)
    expires = trail.message.expires
    if recipient.state in FAILED or recipient.state is RecipientState.DELIVERED:
        return Standing(recipient=recipient, state=recipient.state, attempts=attempts, over_quota=quota)
    if live.presence is Presence.ABSENT:
        return Standing(
            recipient=recipient,
            state=RecipientState.LOST,
            left_queue=True,
            attempts=attempts,
            over_quota=quota,
            next_retry=recipient.next_retry,
        )
    if queued is None:
        return Standing(
            recipient=recipient,
            state=recipient.state,
            attempts=attempts,
            over_quota=quota,
            next_retry=recipient.next_retry,
            expires=expires,
            limiter=_LIMITERS.get(recipient.reason, ""),
        )
    return Standing(
        recipient=recipient,
        queue_reply=queued.reply,
        state=_STATES.get(queued.status, recipient.state),
        attempts=max(queued.attempts, attempts),
        over_quota=quota,
        next_retry=queued.next_retry_at,
        expires=queued.expires_at or expires,
        limiter=queued.limiter,
    )


_LIMITERS = {"rate_limited": "rate", "concurrency_limited": "concurrency"}
_STATES = {
    RecipientStatus.SCHEDULED: RecipientState.QUEUED,
    RecipientStatus.TEMPORARY_FAILURE: RecipientState.DEFERRED,
    RecipientStatus.PERMANENT_FAILURE: RecipientState.BOUNCED,
    RecipientStatus.DELIVERED: RecipientState.DELIVERED,
}


def _attempts(recipient: TrailRecipient, trail: MessageTrail) -> int:
    """Return the deferrals of the recipient's virtual queue until it ended."""
    return sum(
        1
        for one in trail.timeline
        if isinstance(one, TrailOutcome)
        and one.outcome is Outcome.TEMPORARY_FAILURE
        and one.queue_name == recipient.queue_name
        and one.at <= recipient.at
    )


def _is_quota(one: TrailStep | TrailOutcome, recipient: TrailRecipient) -> bool:
    return isinstance(one, TrailStep) and one.event_id == QUOTA_EVENT and one.recipient == recipient.address
