"""The watermark of the log: which lines are counted, and the attempts and sessions that go on."""

from __future__ import annotations

from typing import Any

from exporter.ingest.counting.dedup_window import RecentMultiset
from exporter.ingest.counting.trail.recorder import TrailRecorder
from exporter.stalwart.events.tracker import AttemptTracker

LOG_MARK = "log"
WINDOW_SECONDS = 2
"""The server's threads may write lines slightly out of order."""


def state_of(recent: RecentMultiset, tracker: AttemptTracker, trail: TrailRecorder) -> Any:
    """Return the watermark as JSON-serializable data."""
    return {
        "recent": recent.to_state(),
        "attempts": tracker.to_state(),
        "strays": tracker.strays.to_state(),
        "trail": trail.to_state(),
    }


def counted_until(state: Any | None) -> int | None:
    """Return the Unix second of the newest line counted, from the watermark; ``None`` if there is none."""
    return None if state is None else newest_of(RecentMultiset.from_state(WINDOW_SECONDS, state["recent"]))


def newest_of(recent: RecentMultiset) -> int | None:
    """Return the Unix second of the newest line counted; ``None`` if there is none."""
    return None if recent.horizon is None else recent.horizon + WINDOW_SECONDS
