"""What queue control needs of a server, of either generation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from exporter.model.server import Generation
from exporter.stalwart.operator.messages import QueuedMessage


class Verdict(StrEnum):
    """The server's answer to a change of one message."""

    ACCEPTED = "accepted"
    NOT_FOUND = "not_found"
    """The message is not in the queue: unknown, delivered or cancelled before."""

    REFUSED = "refused"
    """The server changed nothing, and said so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """
    The server's answer to a change.

    Attributes:
        detail: Why it was refused, as the server says, safe to print; else empty.
    """

    verdict: Verdict
    detail: str = ""


ACCEPTED = Answer(Verdict.ACCEPTED)
NOT_FOUND = Answer(Verdict.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Target:
    """
    What a change of a message is meant for.

    Attributes:
        addresses: Some of its recipients; ``None`` means the whole message.
    """

    message: QueuedMessage
    addresses: frozenset[str] | None = None


class OperatorClient(Protocol):
    """
    Queue control of one server. Every method raises a `TargetError` if the server cannot be used.

    Attributes:
        generation: Of the server.
    """

    generation: Generation

    def normal_id(self, text: str) -> str | None:
        """Return the id as the server spells it; ``None`` if it cannot be an id there."""

    def missing_permissions(self, needed: Collection[str]) -> Sequence[str]:
        """Return the permissions that the login is known to lack."""

    def walk(self, *, max_messages: int) -> AsyncIterator[Sequence[QueuedMessage]]:
        """Yield the queue in pages, at most *max_messages* (0: all); each message once."""

    async def fetch(self, ids: Sequence[str]) -> Mapping[str, QueuedMessage]:
        """Return the messages with these ids that are in the queue, by id."""

    def bystanders(self, target: Target, *, retry: bool) -> Sequence[str]:
        """Return the recipients that the server would also change, though they are not meant."""

    async def retry(self, target: Target, at: datetime | None) -> Answer:
        """Request an attempt at *at*; ``None``: now."""

    async def cancel(self, target: Target) -> Answer:
        """Remove the message without notice, or fail some of its recipients."""

    async def wake(self, message: QueuedMessage) -> Answer:
        """Cause a queue event with the smallest change to *message*: an attempt if it is due, else none."""

    async def fetch_running(self) -> bool | None:
        """Return whether the queue is running; ``None`` if the server does not report it."""

    async def pause(self) -> None:
        """Pause deliveries."""

    async def resume(self) -> None:
        """Resume deliveries."""
