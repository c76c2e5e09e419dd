"""
Queued messages one by one, and the answers to changes.

Contract: Stalwart v0.16, ``x:QueuedMessage/get``, ``x:QueuedMessage/set`` and ``x:Action/set``;
tests/recordings/ops-0.16.18. An id that cannot be parsed is missing from every answer, and one that is not in the queue
comes back in its shortest spelling.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from exporter.model.queue import RecipientStatus
from exporter.printable import shortened
from exporter.stalwart.http.responses import quoted
from exporter.stalwart.jmap.queue.fold import LIMITER_TYPES
from exporter.stalwart.jmap.queue.wire import Expiry
from exporter.stalwart.operator.client import ACCEPTED, NOT_FOUND, Answer, Verdict
from exporter.stalwart.operator.messages import MAX_REPLY, QueuedMessage, QueuedRecipient

PROPERTIES = ("createdAt", "size", "returnPath", "recipients")
NULL_SENDER = "<>"

_STATUSES = {
    "Scheduled": RecipientStatus.SCHEDULED,
    "TemporaryFailure": RecipientStatus.TEMPORARY_FAILURE,
    "PermanentFailure": RecipientStatus.PERMANENT_FAILURE,
    "Completed": RecipientStatus.DELIVERED,
}

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Status(msgspec.Struct, rename="camel"):
    type: str = msgspec.field(name="@type")
    error_type: str | None = None
    error_message: str | None = None
    response_hostname: str | None = None
    response_code: int | None = None
    response_enhanced: str | None = None
    response_message: str | None = None


class _Recipient(msgspec.Struct, rename="camel"):
    retry_count: _Count
    retry_due: _Moment
    queue_name: str
    status: _Status
    expires: Expiry | None = None


class _Message(msgspec.Struct, rename="camel"):
    id: str
    created_at: _Moment
    size: _Count
    recipients: dict[str, _Recipient]
    return_path: str | None = None


class Messages(msgspec.Struct):
    """The result of a ``get``."""

    items: list[_Message] = msgspec.field(name="list")


class Ids(msgspec.Struct):
    """The result of a ``query``."""

    ids: list[str]


class _Problem(msgspec.Struct):
    type: str
    description: str | None = None


class Changed(msgspec.Struct, rename="camel"):
    """The result of a ``set``; members without content are left out."""

    created: dict[str, msgspec.Raw] = {}
    updated: dict[str, msgspec.Raw] = {}
    destroyed: list[str] = []
    not_created: dict[str, _Problem] = {}
    not_updated: dict[str, _Problem] = {}
    not_destroyed: dict[str, _Problem] = {}

    def answer(self, id_: str) -> Answer:
        """Return what became of the only message of the request."""
        if id_ in self.updated or id_ in self.destroyed:
            return ACCEPTED
        problem = self.problem()
        if problem is None:
            return Answer(Verdict.REFUSED, "the server left the message out of its answer")
        return NOT_FOUND if problem.type == "notFound" else Answer(Verdict.REFUSED, words(problem))

    def problem(self) -> _Problem | None:
        """Return the only problem of the request, if there is one."""
        every = [*self.not_created.values(), *self.not_updated.values(), *self.not_destroyed.values()]
        return every[0] if every else None


messages = msgspec.json.Decoder(Messages)
ids = msgspec.json.Decoder(Ids)
changed = msgspec.json.Decoder(Changed)


def words(problem: _Problem) -> str:
    """Return what the server says, safe to print, without mail addresses."""
    return quoted(problem.type) + (f": {quoted(problem.description)}" if problem.description else "")


def read(message: _Message) -> QueuedMessage:
    """Return a message as model."""
    return QueuedMessage(
        id=message.id,
        sender="" if message.return_path in (None, NULL_SENDER) else message.return_path or "",
        created_at=message.created_at,
        size_bytes=message.size,
        recipients=tuple(_recipient(address, recipient) for address, recipient in message.recipients.items()),
    )


def _recipient(address: str, recipient: _Recipient) -> QueuedRecipient:
    return QueuedRecipient(
        address=address,
        queue=recipient.queue_name,
        status=_STATUSES.get(recipient.status.type, RecipientStatus.UNKNOWN),
        reply=shortened(_reply(recipient.status), MAX_REPLY),
        attempts=recipient.retry_count,
        next_retry_at=recipient.retry_due,
        expires_at=recipient.expires.expires_at if recipient.expires is not None else None,
        limiter=LIMITER_TYPES.get(recipient.status.error_type or "", ""),
    )


def _reply(status: _Status) -> str:
    """Return the reply in one line: ``mx.example.net: 451 4.7.1 Try again later``."""
    host = f"{status.response_hostname}: " if status.response_hostname else ""
    if status.response_code is not None:
        parts = (str(status.response_code), status.response_enhanced, status.response_message)
        return host + " ".join(part for part in parts if part)
    return host + (status.error_message or status.error_type or "") if status.error_type else ""
