"""The recipients of some messages, by what has become of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from msgspec import UNSET

from exporter.model.queue import RecipientStatus
from exporter.stalwart.rest.queue.wire import FlatRecipient, NestedRecipient, StatusDetail

R = TypeVar("R", FlatRecipient, NestedRecipient)


class Recipients(Generic[R]):
    """
    Lists by status, with the texts of the failures.

    Attributes:
        deferred: In temporary failure; `deferred_texts` are theirs, in the same order.
        rejected: In permanent failure; `rejected_texts` are theirs.
        strange: With a status that we do not know.
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
        """Adds one that no longer waits."""
        if status.perm_fail is not UNSET:
            self.rejected.append(recipient)
            self.rejected_texts.append(status.perm_fail)
        elif status.completed is not UNSET:
            self.delivered.append(recipient)
        else:
            self.strange.append(recipient)

    def by_status(self) -> Iterator[tuple[RecipientStatus, list[R]]]:
        """Each status that somebody has."""
        for status, recipients in (
            (RecipientStatus.SCHEDULED, self.scheduled),
            (RecipientStatus.TEMPORARY_FAILURE, self.deferred),
            (RecipientStatus.PERMANENT_FAILURE, self.rejected),
            (RecipientStatus.DELIVERED, self.delivered),
            (RecipientStatus.UNKNOWN, self.strange),
        ):
            if recipients:
                yield status, recipients
