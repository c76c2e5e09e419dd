"""What a server's queue holds of one message, as far as an answer needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from exporter.model.queue import RecipientStatus


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
