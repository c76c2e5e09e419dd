"""
Outcomes that the live stream and the stored traces both tell of, each counted once, whichever comes first.

Live events carry no id of their span. What both sources carry is the queued message, its virtual queue, the event, its
second and its recipient; equal ones can only be counted. So for each such key there are two numbers, of the events
that came live and of those that came from storage, and what is counted is the larger one.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from exporter.model.delivery import DeliveryEvent
from exporter.store.store import SeenIds

LIVE_OUTCOMES, STORED_OUTCOMES = "live_outcome", "stored_outcome"

KEEP_SECONDS = 7200
"""For how long an outcome is remembered after nothing that could repeat it is outstanding: longer than any attempt."""

_SHIFT = 16
_MOST = (1 << _SHIFT) - 1


def outcome_key(event: DeliveryEvent) -> int:
    """A checksum of what both sources carry of an event."""
    named = (
        f"{event.queue_id}|{event.queue_name}|{event.event_id}|{int(event.at.timestamp())}|{event.recipient.lower()}"
    )
    return int.from_bytes(blake2b(named.encode("utf-8", "replace"), digest_size=8).digest(), "big")


class OutcomeCounts:
    """
    How often each key came from either source.

    What is added is handed over by `take_rows`, to be saved in the transaction that counts it; `load` is the way back.
    """

    def __init__(self) -> None:
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._turned_at = 0
        self._rows: dict[str, list[str]] = {LIVE_OUTCOMES: [], STORED_OUTCOMES: []}
        self._forget_before: int | None = None

    def load(self, live: Iterable[str], stored: Iterable[str]) -> None:
        """Takes up what was saved."""
        for name in live:
            key, count = _parse(name)
            self._set(key, max(count, self._counts(key)[0]), self._counts(key)[1])
        for name in stored:
            key, count = _parse(name)
            self._set(key, self._counts(key)[0], max(count, self._counts(key)[1]))

    def add_live(self, key: int) -> bool:
        """One more came live; whether it is one more than was counted."""
        live, stored = self._counts(key)
        self._set(key, live + 1, stored)
        self._rows[LIVE_OUTCOMES].append(f"{key:016x}#{live + 1}")
        return live + 1 > stored

    def add_stored(self, key: int, *, may_come_live: bool) -> bool:
        """
        One more came from storage; whether it is one more than was counted.

        It need not be remembered unless it has come live or *may_come_live*.
        """
        live, stored = self._counts(key)
        if not live and not may_come_live:
            return True
        self._set(key, live, stored + 1)
        self._rows[STORED_OUTCOMES].append(f"{key:016x}#{stored + 1}")
        return stored + 1 > live

    def is_counted(self, key: int) -> bool:
        """Whether the next one that comes live has been counted from storage."""
        live, stored = self._counts(key)
        return stored > live

    def forget_before(self, horizon: int) -> None:
        """What was added longer than `KEEP_SECONDS` before *horizon* (Unix seconds) will not be repeated."""
        self._forget_before = horizon - KEEP_SECONDS
        if not self._turned_at:
            self._turned_at = horizon
        elif horizon - self._turned_at >= KEEP_SECONDS:
            self._old, self._young, self._turned_at = self._young, {}, horizon

    def take_rows(self, now: int) -> list[SeenIds]:
        """What is to be saved at *now* (Unix seconds), together with the tallies that it moved."""
        taken = [
            SeenIds(source=source, added=[(row, now) for row in rows], forget_before=self._forget_before)
            for source, rows in self._rows.items()
            if rows or self._forget_before is not None
        ]
        self._rows = {LIVE_OUTCOMES: [], STORED_OUTCOMES: []}
        self._forget_before = None
        return taken

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _counts(self, key: int) -> tuple[int, int]:
        both = self._young.get(key)
        if both is None:
            both = self._old.get(key, 0)
        return both & _MOST, both >> _SHIFT

    def _set(self, key: int, live: int, stored: int) -> None:
        self._old.pop(key, None)
        self._young[key] = min(live, _MOST) | min(stored, _MOST) << _SHIFT


def _parse(name: str) -> tuple[int, int]:
    key, _, count = name.partition("#")
    return int(key, 16), int(count)
