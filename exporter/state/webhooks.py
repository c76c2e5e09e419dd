"""The health of a server's webhook."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

STORED, REPEATED = "stored", "repeated"
UNSIGNED, FORGED, REPLAYED = "unsigned", "forged", "replayed"
TOO_LARGE, INCOMPLETE, BUSY, FULL, NOT_STORED = "too_large", "incomplete", "busy", "full", "not_stored"

RESULTS = (STORED, REPEATED, UNSIGNED, FORGED, REPLAYED, TOO_LARGE, INCOMPLETE, BUSY, FULL, NOT_STORED)
"""What becomes of a post; only the first two are answered with success."""

UNAVAILABLE = (BUSY, FULL, NOT_STORED)
"""Posts that we could not take; the server posts their events again until they are too old."""

STARTED, DOWNTIME = "server_start", "downtime"
CAUSES = (STARTED, DOWNTIME)


@dataclass(slots=True)
class WebhookHealth:
    """
    What arrived from one server.

    Attributes:
        posts: Posts by result; all results are present from the start, so that a first refusal is an increase.
        events: Events in stored posts, repetitions included.
        repeated_events: Events that had been posted before.
        unreadable: Stored posts that could not be read in full.
        holes: How often posted events may have been lost, by cause.
        last_post_at: When the last post was accepted, aware and in UTC; ``None`` before the first.
        pending_posts, pending_bytes: Stored posts that are not yet counted, and their compressed size.
    """

    posts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(RESULTS, 0))
    events: int = 0
    repeated_events: int = 0
    unreadable: int = 0
    holes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0))
    last_post_at: datetime | None = None
    pending_posts: int = 0
    pending_bytes: int = 0
