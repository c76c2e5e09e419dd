"""The recipients of a batch of messages, by status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import UNSET

from exporter.model.queue import RecipientStatus
from exporter.stalwart.rest.queue.wire import FlatRecipient, NestedRecipient, StatusDetail

R = TypeVar("R", FlatRecipient, NestedRecipient)


class Recipients(Generic[R]):
    """
    Lists of recipients by status, with the failure texts.

    Attributes:
        deferred: In temporary failure; `deferred_texts` has their texts in the same order.
        rejected: In permanent failure; `rejected_texts` has their texts in the same order.
        strange: With an unknown status.
    """

    def __init__(self) -> None:
        self.scheduled: list[R] = []
        self.deferred: list[R] = []
        self.deferred_texts: list[str] = []
        self.rejected: list[R] = []
        self.rejected_texts: list[str] = []
        self.delivered: list[R] = []
        self.strange: list[R] = []

    def add_settled(self, recipient: R, status: StatusDetail) -> None:
        """Add a recipient whose status is more than ``scheduled``."""
        if status.perm_fail is not UNSET:
            self.rejected.append(recipient)
            self.rejected_texts.append(status.perm_fail)
        elif status.completed is not UNSET:
            self.delivered.append(recipient)
        else:
            self.strange.append(recipient)

    def by_status(self) -> Iterator[tuple[RecipientStatus, list[R]]]:
        """Yield each status that occurs, with its recipients."""
        for status, recipients in (
            (RecipientStatus.SCHEDULED, self.scheduled),
            (RecipientStatus.TEMPORARY_FAILURE, self.deferred),
            (RecipientStatus.PERMANENT_FAILURE, self.rejected),
            (RecipientStatus.DELIVERED, self.delivered),
            (RecipientStatus.UNKNOWN, self.strange),
        ):
            if recipients:
                yield status, recipients
