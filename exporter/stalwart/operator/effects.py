"""
What a change has done, from the message before and after it.

Contract: Stalwart v0.10-v0.16. v0.13.0 to v0.16.8 accept a retry, and the cancellation of one recipient, and do nothing
outside of a virtual queue named ``default``. A running attempt writes back what was cancelled meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from exporter.model.queue import RecipientStatus
from exporter.model.server import Generation
from exporter.stalwart.operator.client import Target
from exporter.stalwart.operator.messages import QueuedMessage, QueuedRecipient

_RELEASES = {
    Generation.REST: "Stalwart v0.13 to v0.15 ignores this",
    Generation.JMAP: "Stalwart before v0.16.9 ignores this",
}
DUE_NOW = "due now; no attempt has ended yet"
DUE_BEFORE = "it was due before: an attempt is running, or the queue is paused or asleep"
SLACK = timedelta(seconds=1)
"""The server drops fractions of a second."""


class Result(StrEnum):
    """What became of a change."""

    APPLIED = "applied"
    UNCONFIRMED = "unconfirmed"
    """Accepted, but nothing shows yet whether it has an effect."""

    NOT_APPLIED = "not_applied"
    """Accepted, but without effect."""

    LEFT = "left"
    """The message had left the queue before: it is unknown, delivered, bounced or cancelled."""

    UNSAFE = "unsafe"
    """Not requested, because the server would also change other recipients."""

    REFUSED = "refused"
    """The server refused it."""

    LOST = "lost"
    """The answer was lost; the change may have been made or not."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A result with its reason in words, without addresses."""

    result: Result
    detail: str = ""


def retry_effect(target: Target, after: QueuedMessage | None, at: datetime | None, *, now: datetime) -> Effect:
    """Compare a retried message; *at* is the requested time, ``None`` for now; *now* by the server's clock."""
    if after is None:
        return Effect(Result.APPLIED, "it has left the queue")
    pairs = _pairs(target, after)
    if not pairs:
        return Effect(Result.UNCONFIRMED, "its recipients have changed")
    moved = [(before, later) for before, later in pairs if _has_moved(before, later, at)]
    stuck = [before for before, later in pairs if not _has_moved(before, later, at)]
    if not stuck:
        attempted = any(_was_attempted(before, later) for before, later in moved)
        return Effect(Result.APPLIED, "attempted" if attempted else "scheduled" if at else DUE_NOW)
    if at is None and all(before.next_retry_at <= now for before in stuck):
        return Effect(Result.UNCONFIRMED, DUE_BEFORE)
    return Effect(Result.NOT_APPLIED, _share(stuck, pairs))


def cancel_effect(target: Target, after: QueuedMessage | None) -> Effect:
    """Compare a cancelled message."""
    if after is None:
        return Effect(Result.APPLIED, "removed" if target.addresses is None else "it has left the queue")
    if target.addresses is None:
        return Effect(Result.NOT_APPLIED, "it is still in the queue")
    pairs = _pairs(target, after)
    pending = [before for before, later in pairs if later.is_pending]
    if pending:
        return Effect(Result.NOT_APPLIED, _share(pending, pairs))
    if all(later.status is RecipientStatus.DELIVERED for _, later in pairs):
        return Effect(Result.LEFT, "delivered meanwhile")
    return Effect(Result.APPLIED, "the sender gets a bounce with the next attempt of the others")


def why_ignored(generation: Generation, *, retry: bool) -> str:
    """Return why a change that was accepted has no effect, and what helps."""
    helps = "it is attempted when it is due" if retry else "the whole message can be cancelled"
    return f"{_RELEASES[generation]} outside a virtual queue named `default`; {helps}"


def may_be_running(target: Target, *, now: datetime) -> bool:
    """Whether an attempt that would undo a cancellation may be running."""
    return any(recipient.next_retry_at <= now for recipient in _meant(target))


def has_moved(before: QueuedMessage, after: QueuedMessage | None) -> bool:
    """Whether a due message was attempted."""
    if after is None:
        return True
    return any(_has_moved(one, later, None) for one, later in _pairs(Target(before), after))


def _meant(target: Target) -> list[QueuedRecipient]:
    chosen = target.addresses
    return [recipient for recipient in target.message.pending() if chosen is None or recipient.address in chosen]


def _pairs(target: Target, after: QueuedMessage) -> list[tuple[QueuedRecipient, QueuedRecipient]]:
    later = {(recipient.address, recipient.queue): recipient for recipient in after.recipients}
    return [
        (before, found) for before in _meant(target) if (found := later.get((before.address, before.queue))) is not None
    ]


def _was_attempted(before: QueuedRecipient, later: QueuedRecipient) -> bool:
    return later.attempts > before.attempts or later.status is not before.status


def _has_moved(before: QueuedRecipient, later: QueuedRecipient, at: datetime | None) -> bool:
    if at is not None and abs(later.next_retry_at - at) <= SLACK:
        return True
    return _was_attempted(before, later) or later.next_retry_at != before.next_retry_at


def _share(some: list[QueuedRecipient], pairs: list[tuple[QueuedRecipient, QueuedRecipient]]) -> str:
    return f"{len(some)} of {len(pairs)} recipients unchanged"
