"""
Outcomes that both the live stream and the stored traces report, each counted once, regardless of order.

Live events carry no span id. Both sources carry the queue id, the virtual queue, the event, its second and its
recipient; equal outcomes can only be counted. Each such key therefore has two numbers, the live and the stored events,
and the larger one is what counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from exporter.clock import unix_second
from exporter.model.delivery import DeliveryEvent
from exporter.store.store import SeenIds

LIVE_OUTCOMES, STORED_OUTCOMES = "live_outcome", "stored_outcome"

KEEP_SECONDS = 7200
"""How long an outcome is kept after the last trace that could repeat it has been read: longer than any attempt."""

ROW_KEYS = 32

_SHIFT = 16
_MOST = (1 << _SHIFT) - 1


def outcome_key(event: DeliveryEvent) -> bytes:
    """Return a checksum of the fields of an event that both sources carry."""
    second = unix_second(event.at)
    named = f"{event.queue_id}|{event.queue_name}|{event.event_id}|{second}|{event.recipient.lower()}"
    return blake2b(named.encode("utf-8", "replace"), digest_size=8).digest()


class OutcomeCounts:
    """
    The number of outcomes per key and source.

    `take_rows` returns the additions, to be saved in the transaction that counts them; `load` restores them.
    """

    def __init__(self) -> None:
        self._young: dict[bytes, int] = {}
        self._old: dict[bytes, int] = {}
        self._turned_at = 0
        self._new_live: list[str] = []
        self._new_stored: list[str] = []
        self._forget_before: int | None = None

    def load(self, live: Iterable[str], stored: Iterable[str]) -> None:
        """Restore what was saved."""
        for key, count in _unpacked(live):
            before = self._get(key)
            self._young[key] = (before & ~_MOST) | max(count, before & _MOST)
        for key, count in _unpacked(stored):
            before = self._get(key)
            self._young[key] = (before & _MOST) | max(count, before >> _SHIFT) << _SHIFT

    def add_live(self, key: bytes) -> bool:
        """Add a live outcome; return whether it is to be counted."""
        both = self._get(key)
        if not both:
            self._young[key] = 1
            self._new_live.append(key.hex())
            return True
        live = min((both & _MOST) + 1, _MOST)
        self._young[key] = (both & ~_MOST) | live
        self._new_live.append(_packed(key, live))
        return live > both >> _SHIFT

    def add_stored(self, key: bytes, *, may_come_live: bool) -> bool:
        """
        Add a stored outcome; return whether it is to be counted.

        It is only kept if it also came live, or *may_come_live*.
        """
        both = self._get(key)
        live, stored = both & _MOST, min((both >> _SHIFT) + 1, _MOST)
        if not live and not may_come_live:
            return True
        self._young[key] = live | stored << _SHIFT
        self._new_stored.append(_packed(key, stored))
        return stored > live

    def is_counted(self, key: bytes) -> bool:
        """Return whether the next live outcome of *key* has already been counted from storage."""
        both = self._get(key)
        return both >> _SHIFT > both & _MOST

    def forget_before(self, horizon: int) -> None:
        """Forget outcomes that were added more than `KEEP_SECONDS` before *horizon* (Unix seconds)."""
        self._forget_before = horizon - KEEP_SECONDS
        if not self._turned_at:
            self._turned_at = horizon
        elif horizon - self._turned_at >= KEEP_SECONDS:
            self._old, self._young, self._turned_at = self._young, {}, horizon

    def take_rows(self, now: int) -> list[SeenIds]:
        """Return what must be saved at *now* (Unix seconds) in the transaction that saves the tallies."""
        news = ((LIVE_OUTCOMES, self._new_live), (STORED_OUTCOMES, self._new_stored))
        taken = [
            SeenIds(source=source, added=_rows(keys, now), forget_before=self._forget_before)
            for source, keys in news
            if keys or self._forget_before is not None
        ]
        self._new_live, self._new_stored, self._forget_before = [], [], None
        return taken

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def _get(self, key: bytes) -> int:
        both = self._young.get(key)
        return self._old.get(key, 0) if both is None else both


def _packed(key: bytes, count: int) -> str:
    return key.hex() if count == 1 else f"{key.hex()}#{count}"


def _rows(keys: Sequence[str], now: int) -> list[tuple[str, int]]:
    """Return one row per batch of keys: a row per key would be far more expensive."""
    return [(",".join(keys[at : at + ROW_KEYS]), now) for at in range(0, len(keys), ROW_KEYS)]


def _unpacked(rows: Iterable[str]) -> Iterator[tuple[bytes, int]]:
    for row in rows:
        for packed in row.split(","):
            key, _, count = packed.partition("#")
            yield bytes.fromhex(key), int(count or 1)
