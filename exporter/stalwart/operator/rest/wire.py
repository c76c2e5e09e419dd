"""
Queued messages one by one, in both shapes.

Contract: Stalwart v0.10-v0.15, ``GET /api/queue/messages/{id}`` and ``GET /api/queue/messages?values=1``;
tests/recordings/ops-0.15.5, and tests/recordings/rest-0.12.5 for recipients under domains.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

from exporter.errors import PayloadError
from exporter.model.queue import LIMITERS, RecipientStatus
from exporter.printable import shortened
from exporter.stalwart.events.failures import classify_failure
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.operator.messages import MAX_REPLY, QueuedMessage, QueuedRecipient
from exporter.stalwart.rest.queue.wire import NEVER, SCHEDULED, Count, Domain, FlatRecipient, Moment, StatusDetail


class _Message(Struct, kw_only=True):
    id: Count
    return_path: str = ""
    recipients: list[FlatRecipient] | UnsetType = UNSET
    domains: list[Domain] | UnsetType = UNSET
    created: Moment
    size: Count


class _Items(Struct):
    items: list[_Message]


class _Page(Struct):
    data: _Items


class _One(Struct):
    data: _Message


class _Changed(Struct):
    data: bool


_page = msgspec.json.Decoder(_Page)
_one = msgspec.json.Decoder(_One)
_changed = msgspec.json.Decoder(_Changed)


def parse_page(body: bytes) -> list[QueuedMessage]:
    """Parse a page of the list. Raises `PayloadError`."""
    items = decode_response(_page, body).data.items
    return [_read(message, f"data.items[{index}]") for index, message in enumerate(items)]


def parse_message(body: bytes) -> QueuedMessage:
    """Parse a single message. Raises `PayloadError`."""
    return _read(decode_response(_one, body).data, "data")


def parse_changed(body: bytes) -> bool:
    """Parse the answer to a change: whether it found anything, or the state before. Raises `PayloadError`."""
    return decode_response(_changed, body).data


def _read(message: _Message, path: str) -> QueuedMessage:
    if message.recipients is not UNSET:
        recipients = [
            _recipient(r.address, r.queue, r.status, r.retry_num, r.next_retry, r.expires) for r in message.recipients
        ]
    elif message.domains is not UNSET:
        recipients = [recipient for domain in message.domains for recipient in _of_domain(domain)]
    else:
        raise PayloadError(f"{path}.recipients: missing")
    return QueuedMessage(
        id=str(message.id),
        sender=message.return_path,
        created_at=message.created,
        size_bytes=message.size,
        recipients=tuple(recipients),
        by_domain=message.recipients is UNSET,
    )


def _of_domain(domain: Domain) -> Iterator[QueuedRecipient]:
    for recipient in domain.recipients:
        status = domain.status if recipient.status == SCHEDULED else recipient.status
        yield _recipient(recipient.address, domain.queue, status, domain.retry_num, domain.next_retry, domain.expires)


def _recipient(
    address: str,
    queue: str,
    status: str | StatusDetail,
    attempts: int,
    next_retry_at: datetime,
    expires_at: datetime | None,
) -> QueuedRecipient:
    kind, reply = _status(status)
    return QueuedRecipient(
        address=address,
        queue=queue,
        status=kind,
        reply=shortened(reply, MAX_REPLY),
        attempts=attempts,
        next_retry_at=next_retry_at,
        expires_at=None if expires_at == NEVER else expires_at,
        limiter=LIMITERS.get(classify_failure(reply)[0], "") if kind is RecipientStatus.TEMPORARY_FAILURE else "",
    )


def _status(status: str | StatusDetail) -> tuple[RecipientStatus, str]:
    if isinstance(status, str):
        return (RecipientStatus.SCHEDULED if status == SCHEDULED else RecipientStatus.UNKNOWN), ""
    for kind, text in (
        (RecipientStatus.TEMPORARY_FAILURE, status.temp_fail),
        (RecipientStatus.PERMANENT_FAILURE, status.perm_fail),
        (RecipientStatus.DELIVERED, status.completed),
    ):
        if text is not UNSET:
            return kind, text
    return RecipientStatus.UNKNOWN, ""
