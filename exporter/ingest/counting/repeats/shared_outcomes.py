"""
Outcomes that both a webhook and the log report, each counted once, regardless of order.

Both carry the queue id, the virtual queue, the event, its second and its recipient; equal outcomes can only be counted.
So each of the two counts an outcome only if it has reported more of them than the other: one that the webhook lost is
counted from the log, and one that the log does not have from the webhook. Outcomes are kept by the minute in which they
happened. What is posted later than they are kept has been counted from the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from exporter.clock import unix_second
from exporter.ingest.counting.deliveries import LOG, WEBHOOK, DeliveryOwners
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.counting.repeats.outcome_counts import outcome_key
from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.tracker import Decision
from exporter.store.store import SeenIds
from exporter.store.webhooks.summary import SHARED_MARK

SOURCES = {WEBHOOK: "webhook_outcome", LOG: "log_outcome"}

KEEP_SECONDS = 3600
"""How long an outcome is kept after the log was read past it: longer than a server keeps what it cannot post."""

SURE_SECONDS = 5
"""Once later events were posted, an outcome that is only in the log was not posted: its event may not be subscribed."""

MAX_OUTCOMES = 100_000
MINUTE = 60
ROW_KEYS = 32
_SHIFT = 16
_MOST = (1 << _SHIFT) - 1


class SharedOutcomes:
    """
    The outcomes of the webhook and of the log.

    A source counts inside of `counting`, and saves `rows` and `marks` in the transaction that saves its tallies.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._lock = asyncio.Lock()
        self._minutes: dict[int, dict[bytes, int]] = {}
        self._number = 0
        self._changed: dict[tuple[int, bytes], int] = {}
        known = state or {}
        self._is_saving = False
        self._forgotten_until = int(known.get("forgotten_until", 0))
        self._log_alone_until = int(known.get("log_alone_until", 0))
        self._holes: list[tuple[int, int]] = [(a, b) for a, b in known.get("holes", ())]
        self._missed: dict[str, int] = dict(known.get("missed", {}))
        self._posted_until = int(known.get("posted_until", 0))
        self._posted_since = int(known.get("posted_since", 0))
        self._log_until = int(known.get("log_until", 0))
        self._log_since: int | None = known.get("log_since")

    @classmethod
    async def load(cls, ledger: Ledger) -> SharedOutcomes:
        """Restore the saved state; raises `StoreError`."""
        shared = ledger.restore(SHARED_MARK, cls) or cls(None)
        for side, shift in ((WEBHOOK, 0), (LOG, _SHIFT)):
            for minute, key, count in _unpacked(await ledger.seen(SOURCES[side])):
                keys = shared._minutes.setdefault(minute, {})
                before = keys.get(key, 0)
                shared._number += not before
                other = before & (_MOST << (_SHIFT - shift))
                keys[key] = other | max(count, before >> shift & _MOST) << shift
        return shared

    def begin(self, log_until: int | None) -> None:
        """Begin to compare: the log has counted alone up to *log_until* (Unix seconds), if it has counted at all."""
        self._log_alone_until = self._log_until = log_until or 0
        self._log_since = None if log_until is None else 0

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[None]:
        """
        Let one source count and save; after an exception, what it has added is taken back.

        A step that is cancelled while it is being saved is saved nevertheless, see `Ledger.record`: it stays.
        """
        async with self._lock:
            self._changed.clear()
            self._is_saving = False
            try:
                yield
            except BaseException as error:
                if not (self._is_saving and isinstance(error, asyncio.CancelledError)):
                    for (minute, key), before in self._changed.items():
                        self._set(minute, key, before)
                raise
            finally:
                self._changed.clear()

    def take_posted(self, decisions: Iterable[Decision], owners: DeliveryOwners) -> list[Decision]:
        """Return those *decisions* of the webhook that are to be counted."""
        owned = [one for one in decisions if owners.owns(WEBHOOK, unix_second(one.event.at))]
        return [one for one in owned if self._is_new_posted(one.event)]

    def take_logged(self, decisions: Iterable[Decision], owners: DeliveryOwners) -> list[Decision]:
        """Return those *decisions* of the log that are to be counted."""
        owned = [one for one in decisions if owners.owns(LOG, unix_second(one.event.at))]
        return [one for one in owned if self._is_new_logged(one.event)]

    def _is_new_posted(self, event: DeliveryEvent) -> bool:
        second = unix_second(event.at)
        was_read = self._log_since is not None and self._log_since <= second < self._log_until
        if second <= self._log_alone_until or (second < self._forgotten_until and was_read):
            return False  # The log has counted it.
        return self._add(event, second, shift=0)

    def _is_new_logged(self, event: DeliveryEvent) -> bool:
        second = unix_second(event.at)
        if (event.queue_id <= 0 or second < self._forgotten_until) and self._was_posted(second):
            return False  # The webhook has counted it, and named the message.
        is_new = self._add(event, second, shift=_SHIFT)
        if is_new and self._was_posted(second) and self._was_posted(second + SURE_SECONDS):
            self._missed[event.event_id] = self._missed.get(event.event_id, 0) + 1
        return is_new

    def _was_posted(self, second: int) -> bool:
        """Return whether the webhook has reported everything of a second."""
        is_hole = any(begin <= second <= end for begin, end in self._holes)
        return self._posted_since <= second < self._posted_until and not is_hole

    def _add(self, event: DeliveryEvent, second: int, *, shift: int) -> bool:
        """Add an outcome of one source; return whether that source has reported more of them than the other."""
        minute, key = second // MINUTE, outcome_key(event)
        both = self._minutes.get(minute, {}).get(key, 0)
        self._changed.setdefault((minute, key), both)
        own, other = both >> shift & _MOST, both >> (_SHIFT - shift) & _MOST
        own = min(own + 1, _MOST)
        self._set(minute, key, own << shift | other << (_SHIFT - shift))
        return own > other

    def _set(self, minute: int, key: bytes, both: int) -> None:
        keys = self._minutes.setdefault(minute, {})
        self._number += bool(both) - bool(keys.get(key, 0))
        if both:
            keys[key] = both
        else:
            keys.pop(key, None)

    def posted(self, oldest: int, newest: int) -> None:
        """Record the seconds that the events of a post are from; they go back if the server's clock was set back."""
        if newest < self._forgotten_until:
            self._posted_since = self._posted_until = self._forgotten_until = 0
            self._holes.clear()
        self._posted_since = self._posted_since or oldest
        self._posted_until = max(self._posted_until, newest)

    def hole(self, until: int) -> None:
        """Record that posted events may be missing between the last ones and *until*."""
        if self._posted_until:
            self._holes = [*self._holes[-15:], (self._posted_until - 1, until)]

    def logged(self, until: int | None) -> None:
        """Record up to which second the log was read, if it has lines; less than before if the clock was set back."""
        if until is None:
            return
        if self._log_since is None:
            self._log_since = until
        if until < self._log_until - MINUTE:
            self._log_since, self._log_until, self._forgotten_until = min(self._log_since, until), until, 0
        self._log_until = max(self._log_until, until)

    @property
    def posted_until(self) -> int:
        """The second of the newest posted event; 0 before the first."""
        return self._posted_until

    def rows(self, side: str) -> list[SeenIds]:
        """Return what must be saved, now, with the outcomes that *side* has counted since `counting` began."""
        self._is_saving = True
        shift = 0 if side == WEBHOOK else _SHIFT
        by_minute: dict[int, list[str]] = {}
        for minute, key in self._changed:
            count = self._minutes.get(minute, {}).get(key, 0) >> shift & _MOST
            by_minute.setdefault(minute, []).append(key.hex() if count == 1 else f"{key.hex()}#{count}")
        added = [
            (f"{minute:x}:{','.join(keys[at : at + ROW_KEYS])}", minute * MINUTE)
            for minute, keys in by_minute.items()
            for at in range(0, len(keys), ROW_KEYS)
        ]
        horizon = self._forget()
        rows = [SeenIds(source=SOURCES[side], added=added, forget_before=horizon)]
        if horizon is not None:
            other = LOG if side == WEBHOOK else WEBHOOK
            rows.append(SeenIds(source=SOURCES[other], added=(), forget_before=horizon))
        return rows

    def _forget(self) -> int | None:
        """Forget old outcomes; return the second before which they are forgotten, ``None`` if none was."""
        horizon = ((self._log_until or self._posted_until) - KEEP_SECONDS) // MINUTE
        minutes = sorted(self._minutes)
        while self._number > MAX_OUTCOMES and minutes and len(minutes) > 1:
            horizon = max(horizon, minutes[0] + 1)
            self._number -= len(self._minutes.pop(minutes.pop(0)))
        gone = [minute for minute in minutes if minute < horizon]
        for minute in gone:
            self._number -= len(self._minutes.pop(minute))
        if horizon * MINUTE <= self._forgotten_until:
            return None
        self._forgotten_until = horizon * MINUTE
        return self._forgotten_until

    def marks(self) -> Mapping[str, Any]:
        """Return the watermarks to be saved with `rows`."""
        state = {
            "log_alone_until": self._log_alone_until,
            "posted_since": self._posted_since,
            "posted_until": self._posted_until,
            "log_until": self._log_until,
            "log_since": self._log_since,
            "forgotten_until": self._forgotten_until,
            "holes": self._holes,
            "missed": self._missed,
        }
        return {SHARED_MARK: state}


def _unpacked(rows: Iterable[str]) -> Iterator[tuple[int, bytes, int]]:
    for row in rows:
        minute, _, keys = row.partition(":")
        for packed in keys.split(","):
            key, _, count = packed.partition("#")
            yield int(minute, 16), bytes.fromhex(key), int(count or 1)
