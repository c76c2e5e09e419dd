"""What a server's queue holds of one message, as far as an answer needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from exporter.domains import domain_of
from exporter.model.queue import RecipientStatus
from exporter.store.trail.masking import AddressMask


class Presence(StrEnum):
    """Whether a message is in the server's queue now; `UNKNOWN` if the server was not asked or did not answer."""

    PRESENT = "present"
    ABSENT = "absent"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRecipient:
    """
    A recipient of a message in the queue.

    Attributes:
        queue_name: The virtual queue.
        reply: The last reply or error, shortened; empty if there was none.
        attempts: Failed attempts so far.
        limiter: The server's own limit that holds it back: ``rate``, ``concurrency`` or empty.
        next_retry_at: ``None`` if it is delivered or has failed.
        expires_at: When the server gives up; ``None`` if it counts attempts instead.
    """

    address: str
    queue_name: str
    status: RecipientStatus
    reply: str
    attempts: int
    limiter: str
    next_retry_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessage:
    """
    A message in the queue.

    Attributes:
        id: As the server's API spells it.
        sender: The envelope sender; empty for bounces.
    """

    id: str
    sender: str
    created_at: datetime
    size_bytes: int
    recipients: Sequence[WaitingRecipient]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """
    What the server's queue holds of a message now.

    Attributes:
        message: If it is present, with only those recipients that the reader may see.
        running: Whether the queue is running; ``None`` if unknown.
        trouble: Why the presence is unknown, safe to print.
    """

    presence: Presence = Presence.UNKNOWN
    message: WaitingMessage | None = None
    running: bool | None = None
    trouble: str = ""


Waiting = Mapping[str, WaitingRecipient]
"""The recipients in the queue, by each form in which the trail may have stored their addresses."""


def limited(state: LiveState, only_domain: str | None) -> LiveState:
    """Return what a reader may see who may know of one domain only: its own recipients."""
    if only_domain is None or state.message is None:
        return state
    mine = [one for one in state.message.recipients if domain_of(one.address) == only_domain]
    sender = state.message.sender if domain_of(state.message.sender) == only_domain else ""
    return replace(state, message=replace(state.message, recipients=mine, sender=sender))


def by_stored_form(message: WaitingMessage | None, mask: AddressMask) -> Waiting:
    """Return the recipients in the queue by each form in which the trail may have stored their addresses."""
    if message is None:
        return {}
    found = {form: one for one in message.recipients for form in mask.searched(one.address)}
    domains = [domain_of(one.address) for one in message.recipients]
    coarse = {
        f"@{domain_of(one.address)}": one for one in message.recipients if domains.count(domain_of(one.address)) == 1
    }
    return {**coarse, **found}
