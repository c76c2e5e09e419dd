"""Single messages of the queue, as an operator sees them; the daemon keeps only sums of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from exporter.model.queue import RecipientStatus

PENDING = (RecipientStatus.SCHEDULED, RecipientStatus.TEMPORARY_FAILURE)
"""The statuses of recipients that are still to be delivered."""

MAX_REPLY = 4096
"""Characters kept of a reply; a remote server may write any amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRecipient:
    """
    One recipient of a queued message, as the server reports it.

    Attributes:
        address: As stored by the server: any text.
        queue: The virtual queue; ``default`` up to v0.12.
        reply: The last reply or error, shortened; empty if there was none.
        attempts: Failed attempts so far.
        next_retry_at: In the past while an attempt runs or waits for a slot. Means nothing once it is not pending.
        expires_at: ``None`` if attempts are counted instead.
        limiter: The server's own limit that holds it back, a value of `LIMITERS`; empty if none does.
    """

    address: str
    queue: str
    status: RecipientStatus
    reply: str
    attempts: int
    next_retry_at: datetime
    expires_at: datetime | None
    limiter: str = ""

    @property
    def is_pending(self) -> bool:
        """Whether it is still to be delivered."""
        return self.status in PENDING


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """
    One message in the queue.

    Attributes:
        id: As the server's API spells it: a decimal number up to v0.15, base 32 from v0.16 on.
        sender: The envelope sender; empty for bounces.
        by_domain: Up to v0.12: recipients of a domain are tried together, and a manual retry shortens their expiry.
    """

    id: str
    sender: str
    created_at: datetime
    size_bytes: int
    recipients: Sequence[QueuedRecipient]
    by_domain: bool = False

    def pending(self) -> list[QueuedRecipient]:
        """Return the recipients that are still to be delivered."""
        return [recipient for recipient in self.recipients if recipient.is_pending]

    def next_retry_at(self) -> datetime | None:
        """Return the earliest next attempt; ``None`` if no recipient is pending."""
        return min((recipient.next_retry_at for recipient in self.pending()), default=None)
