"""
The delivery attempts that posted events belong to.

Contract: Stalwart v0.10-v0.16. An event carries the keys of its span's opening event, except about 2 in 1000: those
collected before the opening event or after the closing one have only ``spanId``. They are joined by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MAX_SPANS = 4096
CLOSED_SECONDS = 10
"""How long a closed attempt is kept, by the server's clock."""

CLOSING = "delivery.attempt-end"
_ATTEMPT = "delivery."
_KEYS = ("queueId", "queueName", "to", "from", "size", "total")


class AttemptSpans:
    """The keys of the attempts under way, and of those that ended a moment ago, by span id."""

    def __init__(self) -> None:
        self._opening: dict[int, Mapping[str, Any]] = {}
        self._closed: dict[int, int] = {}

    def learn(self, event_id: str, span_id: int, data: Mapping[str, Any], second: int) -> None:
        """Learn the keys of an event's attempt, and whether it has ended."""
        if not span_id or not event_id.startswith(_ATTEMPT) or "queueId" not in data:
            return
        if span_id not in self._opening:
            self._opening[span_id] = {key: data[key] for key in _KEYS if key in data}
            if len(self._opening) > MAX_SPANS:
                self._forget(next(iter(self._opening)))
        elif isinstance(data.get("to"), list):
            self._opening[span_id] = {**self._opening[span_id], "to": data["to"]}
        if event_id == CLOSING:
            self._closed[span_id] = second

    def opening(self, span_id: int) -> Mapping[str, Any] | None:
        """Return the keys of an attempt; ``None`` if it is unknown."""
        return self._opening.get(span_id)

    def forget_before(self, second: int) -> None:
        """Forget the attempts that ended more than `CLOSED_SECONDS` before *second*."""
        for span_id, closed_at in list(self._closed.items()):
            if closed_at < second - CLOSED_SECONDS:
                self._forget(span_id)

    def _forget(self, span_id: int) -> None:
        self._opening.pop(span_id, None)
        self._closed.pop(span_id, None)

    def to_state(self) -> Sequence[Any]:
        """Return the state as JSON-serializable data, without addresses."""
        return [
            [span_id, keys.get("queueId"), keys.get("queueName"), self._closed.get(span_id)]
            for span_id, keys in self._opening.items()
        ]

    @classmethod
    def from_state(cls, state: Iterable[Sequence[Any]]) -> AttemptSpans:
        """Restore what `to_state` has saved."""
        spans = cls()
        for span_id, queue_id, queue_name, closed_at in state:
            spans._opening[span_id] = {"queueId": queue_id, "queueName": queue_name}
            if closed_at is not None:
                spans._closed[span_id] = closed_at
        return spans
