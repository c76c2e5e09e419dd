"""
The wire format of the queue list, as far as it is used.

Contract: Stalwart v0.10-v0.15, ``GET /api/queue/messages?values=1``; tests/recordings/rest-0.12.5 (recipients under
domains) and tests/recordings/rest-0.15.5 (recipients of the message). Each message shows which of the two it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from exporter.errors import PayloadError
from exporter.stalwart.common.queue_tallies import AttemptCount
from exporter.stalwart.http.responses import decode_response, decoding_problem

Moment = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0)]

SCHEDULED = "scheduled"
NEVER = datetime.max.replace(tzinfo=UTC)
"""The expiry of recipients that do not expire by time."""


class StatusDetail(Struct, gc=False):
    """A status other than the word ``scheduled``: an object with one key."""

    temp_fail: str | UnsetType = UNSET
    perm_fail: str | UnsetType = UNSET
    completed: str | UnsetType = UNSET


class FlatRecipient(Struct, gc=False):
    """A recipient from v0.13 on."""

    address: str
    queue: str
    status: str | StatusDetail
    retry_num: AttemptCount
    next_retry: Moment
    expires: Moment | None = NEVER


ABSENT = FlatRecipient(address="", queue="", status=StatusDetail(), retry_num=0, next_retry=NEVER)
"""The value of `Message.recipients` if a message has no such member."""


class NestedRecipient(Struct, gc=False):
    """A recipient up to v0.12, under its domain."""

    address: str
    status: str | StatusDetail


class Domain(Struct, gc=False):
    """The recipients of a message at one domain, up to v0.12; they are tried together, in the only queue."""

    queue: ClassVar[str] = "default"

    status: str | StatusDetail
    recipients: list[NestedRecipient]
    retry_num: AttemptCount
    next_retry: Moment
    expires: Moment | None = NEVER


class Message(Struct, gc=False, kw_only=True):
    """
    A queued message; the fields are in wire order.

    Attributes:
        recipients: From v0.13 on; just `ABSENT` if the message has no such member.
        domains: Up to v0.12; ``UNSET`` if the message has no such member.
        created: As sent by the server, not validated.
    """

    id: Count
    recipients: Sequence[FlatRecipient] = (ABSENT,)
    domains: list[Domain] | UnsetType = UNSET
    created: str
    size: Count


class QueuePage(Struct, gc=False):
    """
    A page of the queue.

    Attributes:
        items: The messages.
        total: The number of messages the server has examined, at most ``max-total``; ``None`` if it does not report it.
        status: Whether the queue is running; ``None`` in v0.10, which does not report it.
    """

    items: list[Message]
    total: Count | None = None
    status: bool | None = None


class RawPage(Struct, gc=False):
    """A page of the queue whose messages are not decoded."""

    items: list[msgspec.Raw]
    total: Count | None = None
    status: bool | None = None


class _Page(Struct):
    data: QueuePage


class _RawPage(Struct):
    data: RawPage


_page = msgspec.json.Decoder(_Page)
_raw_page = msgspec.json.Decoder(_RawPage)
_message = msgspec.json.Decoder(Message)
_lists: dict[type, tuple[tuple[str, type], ...]] = {
    Message: (("recipients", FlatRecipient), ("domains", Domain)),
    Domain: (("recipients", NestedRecipient),),
}


def parse_page(body: bytes) -> QueuePage:
    """Parse a page. Raises `PayloadError` with the path of the first member that is missing or mistyped."""
    try:
        return _page.decode(body).data
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        # The decoder does not report which message was faulty, so decode them one by one.
        for _ in parse_messages(parse_raw_page(body)):
            pass
        raise PayloadError(decoding_problem(error)) from error


def parse_raw_page(body: bytes) -> RawPage:
    """Parse a page without its messages, for `parse_messages`."""
    return decode_response(_raw_page, body).data


def parse_messages(page: RawPage, part_bytes: int = 1 << 20) -> Iterator[list[Message]]:
    """Parse the messages in parts of about *part_bytes*, so that other tasks can run in between."""
    start = 0
    while start < len(page.items):
        part: list[Message] = []
        size_bytes = 0
        for raw in islice(page.items, start, None):
            part.append(_parse_message(raw, start + len(part)))
            size_bytes += memoryview(raw).nbytes
            if size_bytes >= part_bytes:
                break
        yield part
        start += len(part)


def _parse_message(raw: msgspec.Raw, index: int) -> Message:
    path = f"data.items[{index}]"
    try:
        return _message.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        _explain(_untyped(raw), Message, path)
        raise PayloadError(decoding_problem(error, path)) from error


def _untyped(raw: msgspec.Raw) -> object:
    """Return the members of a message, or ``None`` if it is not JSON."""
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _explain(value: object, kind: type, path: str) -> None:
    """Raise `PayloadError` for the innermost member of *value* that does not match *kind*, if there is a *value*."""
    if value is None and kind is Message:
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        members: dict[str, Any] = value if isinstance(value, dict) else {}
        for name, inner in _lists.get(kind, ()):
            listed = members.get(name)
            for index, member in enumerate(listed if isinstance(listed, list) else ()):
                _explain(member, inner, f"{path}.{name}[{index}]")
        raise PayloadError(decoding_problem(error, path)) from error
