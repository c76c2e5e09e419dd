"""
Which messages and recipients an operator means, decided here and never by a filter of the server.

Texts are compared literally: no pattern, no part of an address.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from exporter.domains import domain_name, domain_of
from exporter.model.queue import RecipientStatus
from exporter.stalwart.operator.client import Target
from exporter.stalwart.operator.messages import QueuedMessage, QueuedRecipient


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """
    Conditions that must all hold; those about recipients hold for the same recipient.

    Attributes:
        ids: One of these.
        sender: The envelope sender; ``<>`` selects bounces.
        recipient: A whole address; the case of its domain does not matter.
        domain: The recipient's domain, as from `domain_name`.
        older_than: Minimum time since the server accepted the message.
        attempts: Minimum number of failed attempts.
        status: The recipient's status.
        queue: The virtual queue.
        text: Part of the last reply or error, in any case.
    """

    ids: frozenset[str] | None = None
    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    older_than: timedelta | None = None
    attempts: int | None = None
    status: RecipientStatus | None = None
    queue: str | None = None
    text: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it selects everything."""
        return all(getattr(self, field.name) is None for field in fields(self))

    def matches(self, message: QueuedMessage, now: datetime) -> list[QueuedRecipient]:
        """Return the recipients that are meant, at *now* on the server's clock; none if the message is not."""
        if self.ids is not None and message.id not in self.ids:
            return []
        if self.sender is not None and not same_address(self.sender, message.sender or "<>"):
            return []
        if self.older_than is not None and now - message.created_at < self.older_than:
            return []
        return [recipient for recipient in message.recipients if self._fits(recipient)]

    def target(self, message: QueuedMessage, now: datetime) -> Target | None:
        """Return what a change of *message* is meant for; ``None`` if no recipient that is meant is pending."""
        pending = message.pending()
        meant = [recipient for recipient in self.matches(message, now) if recipient.is_pending]
        if not meant:
            return None
        if len(meant) == len(pending):
            return Target(message)
        return Target(message, frozenset(recipient.address for recipient in meant))

    def _fits(self, recipient: QueuedRecipient) -> bool:
        return (
            (self.recipient is None or same_address(self.recipient, recipient.address))
            and (self.domain is None or domain_of(recipient.address) == self.domain)
            and (self.attempts is None or recipient.attempts >= self.attempts)
            and (self.status is None or recipient.status is self.status)
            and (self.queue is None or recipient.queue == self.queue)
            and (self.text is None or self.text.casefold() in recipient.reply.casefold())
        )


def same_address(one: str, other: str) -> bool:
    """Whether two addresses are equal: the local part exactly, the domain as a name."""
    return _parts(one) == _parts(other)


def _parts(address: str) -> tuple[str, str]:
    local, at, domain = address.rpartition("@")
    return local + at, domain_name(domain) or domain.lower()
