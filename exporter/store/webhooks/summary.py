"""What the history has of a server's webhook, for the command line."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FEED_MARK, TYPES_MARK, SHARED_MARK = "webhook_feed", "webhook_types", "shared_outcomes"
"""The watermarks that the daemon saves."""

_MARK = "SELECT state FROM watermark WHERE server = ? AND source = ?"
_PENDING = "SELECT count(*) FROM webhook_body WHERE server = ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSummary:
    """
    The webhook of one server.

    Attributes:
        last_at: When the last post was accepted, in Unix seconds; ``None`` before the first.
        refused: Refused posts by reason: how many, and the Unix second of the last.
        types: The types of events that were ever posted.
        missed: How many outcomes were only in the log although later events had been posted, by type.
        pending: Stored posts that are not yet counted.
    """

    last_at: int | None = None
    refused: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    types: Sequence[str] = ()
    missed: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0


def load_summary(connection: sqlite3.Connection, server: str) -> WebhookSummary:
    """Read the summary of *server* from an open history file."""

    def mark(source: str) -> object:
        row = connection.execute(_MARK, (server, source)).fetchone()
        return None if row is None else json.loads(row[0])

    feed = mark(FEED_MARK)
    known = feed if isinstance(feed, dict) else {}
    types, shared = mark(TYPES_MARK), mark(SHARED_MARK)
    return WebhookSummary(
        last_at=known.get("at"),
        refused={reason: (number, at) for reason, (number, at) in known.get("refused", {}).items()},
        types=[str(type_) for type_ in types] if isinstance(types, list) else (),
        missed=shared.get("missed", {}) if isinstance(shared, dict) else {},
        pending=connection.execute(_PENDING, (server,)).fetchone()[0],
    )
