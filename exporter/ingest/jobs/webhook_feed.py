"""Connects the receiver of a server's posts with the job that counts them, and publishes the health of both."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.ingest.counting.ledger import Ledger
from exporter.model.server import Capability, CapabilityStatus
from exporter.state.board import Part, ServerBoard
from exporter.state.webhooks import DOWNTIME, REPEATED, STARTED, STORED, UNAVAILABLE, WebhookHealth
from exporter.store.webhooks.summary import FEED_MARK, TYPES_MARK

log = structlog.get_logger("exporter.webhooks")

LONGEST_DOWN_SECONDS = 300
"""A server drops events that it could not post for this long, unless it is configured otherwise."""

MAX_TYPES = 700
"""The server has about 640 event types."""

MAX_TYPE_LENGTH = 64
REFUSED_LOGGED_SECONDS = 300.0


class WebhookFeed:
    """
    The posts of one server, from their arrival to the end of counting.

    Attributes:
        is_unsaved: Whether posts were refused since the last call of `marks`.
    """

    def __init__(self, board: ServerBoard, ledger: Ledger, *, clock: Clock) -> None:
        self._board = board
        self._ledger = ledger
        self._clock = clock
        self._arrived = asyncio.Event()
        self._answered: list[int] = []
        self._types = ledger.restore(TYPES_MARK, lambda state: set(map(str, state))) or set()
        self._saved_types = len(self._types)
        self._last_at: int | None = None
        self._refused: dict[str, list[int]] = {}
        ledger.restore(FEED_MARK, self._take_up)
        self._down_since: int | None = self._last_at
        self._logged: dict[str, float] = {}
        self.is_unsaved = False
        self._health = WebhookHealth()
        board.webhook = self._health
        if self._last_at is not None:
            self._health.last_post_at = datetime.fromtimestamp(self._last_at, UTC)
        seen = CapabilityStatus.NOT_CONFIGURED if self._last_at is None else CapabilityStatus.AVAILABLE
        board.set_capability(Capability.WEBHOOKS, seen)

    async def wait(self, seconds: float) -> bool:
        """Wait for a stored post, at most *seconds*; return whether there is one."""
        try:
            await asyncio.wait_for(self._arrived.wait(), seconds)
        except TimeoutError:
            return False
        self._arrived.clear()
        return True

    def _take_up(self, feed: Any) -> None:
        """Restore the saved state of the feed."""
        refused = {str(why): [int(number) for number in numbers] for why, numbers in feed.get("refused", {}).items()}
        self._last_at, self._refused = None if feed.get("at") is None else int(feed["at"]), refused

    def received(self, result: str) -> None:
        """Record what became of a post."""
        self._health.posts[result] += 1
        if result in (STORED, REPEATED):
            self._health.last_post_at = self._clock.now()
            self._board.set_capability(Capability.WEBHOOKS, CapabilityStatus.AVAILABLE)
            self._arrived.set()
        else:
            now = int(self._clock.now().timestamp())
            if result in UNAVAILABLE and self._down_since is None:
                self._down_since = now
            number, _ = self._refused.get(result, (0, 0))
            self._refused[result] = [number + 1, now]
            self.is_unsaved = True
            self._log_refusal(result)
        self._board.touch(Part.HEALTH)

    def _log_refusal(self, result: str) -> None:
        """Log refusals of one kind once in a while: anyone who can reach the port causes them."""
        now = self._clock.monotonic()
        if now - self._logged.get(result, -REFUSED_LOGGED_SECONDS) >= REFUSED_LOGGED_SECONDS:
            self._logged[result] = now
            log.warning("webhook.refused", server=self._board.name, reason=result)

    def answered(self, body: int) -> None:
        """Record that the server has received the answer to a post."""
        self._answered.append(body)

    def take_answered(self) -> list[int]:
        """Return the posts whose answers have been received since the last call."""
        taken, self._answered = self._answered, []
        return taken

    def saw_type(self, type_: str) -> None:
        """Record that events of a type are posted."""
        if len(self._types) < MAX_TYPES:
            self._types.add(type_[:MAX_TYPE_LENGTH])

    def counted(self, events: int, repeated: int, at: int, *, is_whole: bool) -> bool:
        """Record a post that arrived *at*; return whether the server may have dropped events before it."""
        health = self._health
        health.events += events
        health.repeated_events += repeated
        health.unreadable += not is_whole
        was_down = self._down_since is not None and at - self._down_since > LONGEST_DOWN_SECONDS
        self._down_since, self._last_at = None, at
        if was_down:
            self._note_hole(DOWNTIME)
        return was_down

    def server_started(self) -> None:
        """Record a start of the server, which loses what it has not posted before."""
        self._note_hole(STARTED)

    def _note_hole(self, cause: str) -> None:
        self._health.holes[cause] += 1
        log.info("webhook.hole_found", server=self._board.name, reason=cause)

    def show_pending(self, posts: int, size_bytes: int) -> None:
        """Show what is not yet counted."""
        self._health.pending_posts, self._health.pending_bytes = posts, size_bytes
        self._board.touch(Part.HEALTH)

    def marks(self) -> Mapping[str, Any]:
        """Return the watermarks to be saved with the outcomes."""
        self.is_unsaved = False
        feed: Mapping[str, Any] = {FEED_MARK: {"at": self._last_at, "refused": self._refused}}
        if len(self._types) == self._saved_types:
            return feed
        self._saved_types = len(self._types)
        return {**feed, TYPES_MARK: sorted(self._types)}
