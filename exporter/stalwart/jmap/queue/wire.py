"""
The wire format of queued messages, as far as it is used.

Contract: Stalwart v0.16, ``x:QueuedMessage/query`` and ``/get``; tests/recordings/jmap-0.16.18. Recipients are an
object keyed by address; delivered ones remain until the message leaves the queue.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec

from exporter.errors import PayloadError
from exporter.stalwart.common.queue_tallies import AttemptCount
from exporter.stalwart.http.responses import decoding_problem
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses

PROPERTIES = ("createdAt", "size", "recipients")
NEVER = datetime.max.replace(tzinfo=UTC)
"""The expiry of recipients that do not expire by time."""

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Status(msgspec.Struct, gc=False, rename="camel"):
    """A recipient's status; ``type`` is one of four words."""

    type: str = msgspec.field(name="@type")
    error_type: str | None = None
    response_code: int | None = None


class Expiry(msgspec.Struct, gc=False, rename="camel"):
    """When a recipient expires, if that depends on time and not on attempts."""

    expires_at: _Moment | None = None


class Recipient(msgspec.Struct, gc=False, rename="camel"):
    """A recipient of a queued message."""

    retry_count: AttemptCount
    retry_due: _Moment
    queue_name: str
    status: Status
    expires: Expiry | None = None


class Message(msgspec.Struct, gc=False, rename="camel"):
    """A queued message. ``created_at`` is as sent by the server, not validated."""

    id: str
    created_at: str
    size: _Count
    recipients: dict[str, Recipient]


class _Messages(msgspec.Struct):
    items: list[Message] = msgspec.field(name="list")


class _RawMessages(msgspec.Struct):
    items: list[msgspec.Raw] = msgspec.field(name="list")


_messages = msgspec.json.Decoder(_Messages)
_raw_messages = msgspec.json.Decoder(_RawMessages)
_message = msgspec.json.Decoder(Message)


def messages_of(answers: MethodResponses, call: Call) -> list[Message]:
    """Parse the messages of *call*. Raises `PayloadError` with the path of the first faulty member."""
    try:
        return answers.result(call, _messages).items
    except PayloadError:
        for index, raw in enumerate(answers.result(call, _raw_messages).items):
            _check(raw, f"{call.method}.list[{index}]")
        raise


def _check(raw: msgspec.Raw, path: str) -> None:
    # The decoder of the whole list does not report which message was faulty.
    try:
        _message.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(decoding_problem(error, path)) from error
