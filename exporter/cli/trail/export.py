"""
``trail export``: messages or refusals for other programs, newest first.

CSV has one line per recipient, or per refusal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from exporter.cli.history.export import Exported
from exporter.cli.history.export import export as write
from exporter.cli.why.shape import refusal_fields, trail_fields
from exporter.store.reading import History
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


def export(
    connection: History, wanted: TrailFilter, *, refused: bool, fmt: str, output: Path | None, now: datetime
) -> int:
    """Write all wanted messages, or refusals, in *fmt* to *output* or standard output."""
    reader = TrailReader(connection, only_domain=wanted.only_domain)
    if refused:
        items: Iterable[Fields] = (refusal_fields(one) for one in reader.iterate_refusals(wanted))
        exported = Exported(items=items, total=None, noun="refusals", columns=REFUSAL, lines=lambda one: [one])
    else:
        exported = Exported(
            items=_messages(reader, wanted, now),
            total=None,
            noun="messages",
            columns=(*MESSAGE, *RECIPIENT),
            lines=_lines,
        )
    return write(exported, fmt=fmt, output=output)


def _messages(reader: TrailReader, wanted: TrailFilter, now: datetime) -> Iterator[Fields]:
    for message in reader.iterate_messages(wanted):
        trail = reader.trail(message.server, message.queue_id, now=now)
        if trail is not None:
            yield trail_fields(trail)


def _lines(message: Fields) -> Iterator[Fields]:
    head = {name: message[name] for name in MESSAGE}
    for recipient in message["recipients"] or [{}]:
        yield {**head, **{name: recipient.get(name) for name in RECIPIENT}}
