"""
The collector of senders: who is unusual now, and submissions by domain.

It makes no request: the trail's transactions have counted each sender's hours in the history. Nothing about a sender is
kept in memory but what its past allows in the current hours, for senders above a floor.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

from exporter.clock import Clock
from exporter.ingest.counting.ledger import Ledger
from exporter.model.senders import (
    DAY_HOURS,
    FLOORS,
    HOUR_SECONDS,
    KEEP_HOURS,
    Allowed,
    Past,
    SenderSnapshot,
    UnusualReason,
    allowed_in_day,
    allowed_in_hour,
    findings_of,
)
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard
from exporter.state.capped import CappedLabel
from exporter.state.tally import Increments, add
from exporter.store.store import Store
from exporter.store.trail.senders import queries as q
from exporter.store.trail.senders.judging import HOURLY_FLOORS

SUBMISSIONS = "submissions"
"""The tally."""

FAMILY = "stalwart_submissions_total"
REMEMBERED = 10_000
"""Senders and hours whose allowance is remembered, a few hundred bytes each."""

DAY_EVERY_RUNS = 5
"""Runs between two looks at whole days, which read more of the history."""

PRUNE_EVERY_RUNS = 10

_Key = tuple[str, int]
T = TypeVar("T")


class SendersJob:
    """
    Judges the senders of one server by the server's *clock*, and counts their submissions.

    What it publishes stays fresh for *fresh_seconds*.
    """

    def __init__(
        self,
        board: ServerBoard,
        ledger: Ledger,
        store: Store,
        *,
        clock: Clock,
        fresh_seconds: float,
        max_domains: int,
    ) -> None:
        self._board = board
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._fresh_seconds = fresh_seconds
        self._runs = 0
        self._in_hour: OrderedDict[_Key, Allowed] = OrderedDict()
        self._in_day: OrderedDict[_Key, int] = OrderedDict()
        self._submitting = 0
        self._busy_days: set[str] = set()
        known = {labels[0] for labels in board.tallies.family(SUBMISSIONS)}
        self._capped = CappedLabel(max_domains, sorted(known), now=clock.monotonic())

    async def __call__(self, client: StalwartClient) -> None:
        """Look once; makes no request. Raises `StoreError`."""
        server, hour = self._board.name, int(self._clock.now().timestamp()) // HOUR_SECONDS
        if not list(await self._store.read(q.HAS_TRAIL, (server,))):
            return
        await self._count_submissions(server, hour)
        unusual = await self._judge_hours(server, hour)
        if self._runs % DAY_EVERY_RUNS == 0:
            self._busy_days = await self._judge_days(server, hour)
            rows = await self._store.read(q.SUBMITTING, (server, hour - DAY_HOURS))
            self._submitting = next(iter(rows))[0]
        self._runs += 1
        numbers = {reason: len(unusual.get(reason, ())) for reason in UnusualReason}
        numbers[UnusualReason.DAY] = len(self._busy_days)
        snapshot = SenderSnapshot(submitting=self._submitting, unusual=numbers)
        self._board.publish(Part.SENDERS, snapshot, fresh_seconds=self._fresh_seconds)

    async def _count_submissions(self, server: str, hour: int) -> None:
        """Count what is new by domain, and note that it is counted, in one transaction."""
        increments: Increments = {}
        counted: dict[str, int] = {}
        for domain, messages, before in await self._store.read(q.UNCOUNTED, (server,)):
            counted[domain] = messages
            add(increments, SUBMISSIONS, (self._label(domain, messages - before),), messages - before)
        prune_before = hour if self._runs % PRUNE_EVERY_RUNS == 0 else None
        if counted or prune_before is not None:
            await self._ledger.record(increments, {}, rows=q.counting(server, counted, prune_before=prune_before))

    async def _judge_hours(self, server: str, hour: int) -> dict[UnusualReason, set[str]]:
        """Return the senders that are unusual in the current hour or the one before, by reason."""
        found: dict[UnusualReason, set[str]] = {}
        for sender, of_hour, *numbers in await self._store.read(q.BUSY_HOURS, (server, hour - 1, *HOURLY_FLOORS)):
            key = (sender, of_hour)
            if key not in self._in_hour:
                past = await self._past(server, sender, hour)
                _remember(self._in_hour, key, allowed_in_hour(past, of_hour))
            for finding in findings_of(q.hour_of(numbers), self._in_hour[key]):
                found.setdefault(finding.reason, set()).add(sender)
        return found

    async def _judge_days(self, server: str, hour: int) -> set[str]:
        """Return the senders whose last 24 hours are unusual."""
        found = set()
        span = (server, hour - DAY_HOURS, hour, FLOORS[UnusualReason.DAY])
        for sender, destinations in await self._store.read(q.BUSY_DAYS, span):
            key = (sender, hour)
            if key not in self._in_day:
                past = await self._past(server, sender, hour)
                _remember(self._in_day, key, allowed_in_day(past, hour))
            if destinations > self._in_day[key]:
                found.add(sender)
        return found

    async def _past(self, server: str, sender: str, hour: int) -> Past:
        return q.past_of(await self._store.read(q.PAST, (server, sender, hour - KEEP_HOURS)))

    def _label(self, domain: str, times: int) -> str:
        return self._board.capped_label(self._capped, FAMILY, domain, now=self._clock.monotonic(), times=times)


def _remember(kept: OrderedDict[_Key, T], key: _Key, value: T) -> None:
    """Remember *value*, and forget the oldest beyond `REMEMBERED`."""
    kept[key] = value
    while len(kept) > REMEMBERED:
        kept.popitem(last=False)
