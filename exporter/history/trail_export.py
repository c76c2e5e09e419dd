"""Messages or refusals for other programs, newest first; CSV has one line per recipient, or per refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from exporter.history.exports import Exported
from exporter.history.shape import refusal_fields, trail_fields
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.reader import TrailReader

Fields = Mapping[str, Any]

MESSAGE = (
    "server",
    "queue_id",
    "accepted_at",
    "seen_at",
    "kind",
    "sender",
    "account",
    "remote_ip",
    "listener",
    "size_bytes",
    "recipient_count",
    "expires_at",
    "cause",
    "message_id",
)
RECIPIENT = ("address", "domain", "state", "at", "mailbox", "hostname", "reason", "code", "text", "next_retry_at")
REFUSAL = (
    "server",
    "at",
    "reason",
    "event_id",
    "sender",
    "recipient",
    "account",
    "remote_ip",
    "remote_port",
    "listener",
    "size_bytes",
    "code",
    "text",
    "is_inferred",
)


def exported_refusals(reader: TrailReader, wanted: TrailFilter) -> Exported:
    """Return all wanted refusals."""
    items: Iterable[Fields] = (refusal_fields(one) for one in reader.iterate_refusals(wanted))
    return Exported(items=items, noun="refusals", columns=REFUSAL, lines=lambda one: [one])


def exported_messages(reader: TrailReader, wanted: TrailFilter, *, now: datetime) -> Exported:
    """Return all wanted messages with their recipients as they stand at *now*."""
    return Exported(items=_messages(reader, wanted, now), noun="messages", columns=(*MESSAGE, *RECIPIENT), lines=_lines)


def _messages(reader: TrailReader, wanted: TrailFilter, now: datetime) -> Iterator[Fields]:
    for message in reader.iterate_messages(wanted):
        trail = reader.trail(message.server, message.queue_id, now=now)
        if trail is not None:
            yield trail_fields(trail)


def _lines(message: Fields) -> Iterator[Fields]:
    head = {name: message[name] for name in MESSAGE}
    for recipient in message["recipients"] or [{}]:
        yield {**head, **{name: recipient.get(name) for name in RECIPIENT}}
