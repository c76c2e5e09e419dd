"""
The only place where tallies change: increments and watermarks are committed together before they are shown.

While the database cannot be written, tallies are kept in memory; the next successful write saves their values rather
than increments, so nothing is lost or counted twice unless the process ends in between. Rows of the trail wait with
them, up to a limit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import structlog

from exporter.errors import StoreError
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import Increments, TallyBook, TallyKey
from exporter.store import stats
from exporter.store.store import RowWriter, SeenIds, Store
from exporter.store.trail.rows import TrailRows, trail_writer

log = structlog.get_logger("exporter.ledger")

T = TypeVar("T")

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What parsing of a damaged state raises."""

MAX_UNSAVED_ROWS = 20_000
"""Rows of the trail that are kept in memory while the database cannot be written; about ten megabytes."""


class Ledger:
    """Tallies and watermarks of one server."""

    def __init__(self, store: Store, board: ServerBoard, watermarks: Mapping[str, str]) -> None:
        self._store = store
        self._board = board
        self._watermarks = dict(watermarks)
        self._unsaved_tallies: dict[TallyKey, int] = {}
        self._unsaved_watermarks: dict[str, str] = {}
        self._unsaved_seen: list[SeenIds] = []
        self._unsaved_trail: list[TrailRows] = []
        self._lock = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()
        self._trouble = ""

    @classmethod
    async def load(cls, store: Store, server: str, book: TallyBook, board: ServerBoard) -> Ledger:
        """Load the saved tallies of *server* into *book*; raises `StoreError`."""
        book.apply(await store.load_tallies(server))
        return cls(store, board, await store.load_watermarks(server))

    def watermark(self, source: str) -> Any | None:
        """Return the state last recorded for *source*; ``None`` on first contact, or if it is not JSON."""
        return self.restore(source, lambda state: state)

    def restore(self, source: str, build: Callable[[Any], T]) -> T | None:
        """
        Return what *build* makes of the state last recorded for *source*; ``None`` on first contact.

        A state that cannot be read is logged, counted and forgotten, so that its collector starts as on first contact.
        """
        text = self._watermarks.get(source)
        if text is None:
            return None
        try:
            state = json.loads(text)
            return None if state is None else build(state)
        except UNREADABLE as error:
            self.note_unreadable(source, error)
            del self._watermarks[source]
            return None

    def note_unreadable(self, source: str, error: Exception) -> None:
        """Log and count that something saved for *source* cannot be read."""
        self._store.stats.errors[stats.UNREADABLE] += 1
        log.error("watermark.dropped", server=self._board.name, source=source, error=type(error).__name__)

    async def seen(self, source: str) -> set[str]:
        """Return the recorded ids of *source*, including those not yet written to the database; raises `StoreError`."""
        seen = await self._store.load_seen(self._board.name, source)
        for ids in self._unsaved_seen:
            if ids.source == source:
                seen.update(id_ for id_, _ in ids.added)
                seen.difference_update(ids.removed)
        return seen

    async def record(
        self,
        increments: Increments,
        watermarks: Mapping[str, Any],
        seen: Sequence[SeenIds] = (),
        *,
        rows: RowWriter | None = None,
        trail: TrailRows | None = None,
    ) -> None:
        """
        Add *increments* and rows of the *trail* and move *watermarks*, all or nothing.

        Completes even if the caller is cancelled: a committed step is always shown. A step with *rows* cannot be kept
        in memory while the database cannot be written: it raises `StoreError` and has no effect. Rows of the trail are
        kept, up to `MAX_UNSAVED_ROWS`; the oldest beyond that are dropped and counted.
        """
        step = self._record(increments, watermarks, seen, rows, trail)
        task = asyncio.create_task(step, name=f"{self._board.name}-record")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait until no write is in progress, then retry once what could not be written."""
        while self._under_way:
            await asyncio.wait(self._under_way)
        if self._unsaved_tallies or self._unsaved_watermarks or self._unsaved_seen or self._unsaved_trail:
            await self.record({}, {})

    def moved_to(self, board: ServerBoard) -> Ledger:
        """
        Return the same ledger for another *board* with the same tallies.

        Call `settle` first, and do not use this ledger afterwards.
        """
        heir = Ledger(self._store, board, self._watermarks)
        heir._unsaved_tallies, heir._unsaved_watermarks = self._unsaved_tallies, self._unsaved_watermarks
        heir._unsaved_seen, heir._unsaved_trail = self._unsaved_seen, self._unsaved_trail
        heir._trouble = self._trouble
        return heir

    async def _record(
        self,
        increments: Increments,
        watermarks: Mapping[str, Any],
        seen: Sequence[SeenIds],
        rows: RowWriter | None,
        trail: TrailRows | None,
    ) -> None:
        async with self._lock:
            book = self._board.tallies
            moved = {key: book.value(key) + amount for key, amount in increments.items()}
            marks = {source: json.dumps(state, separators=(",", ":")) for source, state in watermarks.items()}
            tallies = {**self._unsaved_tallies, **moved}
            states = {**self._unsaved_watermarks, **marks}
            ids = [*self._unsaved_seen, *seen]
            kept = [*self._unsaved_trail, trail] if trail else self._unsaved_trail
            writer = trail_writer(kept, self._board.name, rows) if kept else rows
            try:
                await self._store.save(self._board.name, tallies=tallies, watermarks=states, seen=ids, rows=writer)
            except StoreError as error:
                if rows is not None:
                    raise
                self._note_trouble(str(error))
                self._unsaved_tallies, self._unsaved_watermarks, self._unsaved_seen = tallies, states, ids
                self._unsaved_trail = self._bounded(kept)
            else:
                self._note_trouble("")
                self._unsaved_tallies, self._unsaved_watermarks, self._unsaved_seen = {}, {}, []
                self._unsaved_trail = []
            book.apply(increments)
            self._watermarks.update(marks)
        if increments:
            self._board.touch(Part.TALLIES)

    def _bounded(self, kept: Sequence[TrailRows]) -> list[TrailRows]:
        """Return what is kept of the unsaved rows, the newest; count what is dropped."""
        bounded = list(kept)
        total = sum(len(part) for part in bounded)
        while total > MAX_UNSAVED_ROWS:
            dropped = bounded.pop(0)
            total -= len(dropped)
            self._board.count_trail_dropped(len(dropped))
        return bounded

    def _note_trouble(self, error: str) -> None:
        """Log a change between saved and not saved, or a different error, but not every write."""
        if error and error != self._trouble:
            log.warning("ledger.save_failed", server=self._board.name, error=error)
        elif self._trouble and not error:
            log.info("ledger.recovered", server=self._board.name)
        self._trouble = error
