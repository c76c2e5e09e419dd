"""
The queue walk of v0.16, earliest due first.

Contract: Stalwart v0.16, ``x:QueuedMessage/query``. Only this paging returns each row once: ``position`` 0 with
``calculateTotal``, then ``anchor`` with a positive ``anchorOffset``. The queue changes during the walk: the anchor's
row may have left, and a deferred message appears a second time, further back. Anchors are broken before v0.16.4; such
servers are walked by ``position``, and so is the rest of a queue whose anchors turn out to be broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Annotated, Any

import msgspec

from exporter.clock import Clock
from exporter.errors import PayloadTooLarge, TargetServerError, TargetTimeout
from exporter.model.queue import QueueSnapshot
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.wire import AnchorGone, BatchTooLarge, Call
from exporter.stalwart.jmap.queue.fold import QueueFold
from exporter.stalwart.jmap.queue.wire import PROPERTIES, Message, messages_of

PAGE_ROWS = 500
PAGES_A_REQUEST = 8
"""With fewer, a long queue would need more requests than the limit per minute."""

REMEMBERED = 10_000
"""The ids kept from the front of the queue; the earliest due messages are those that may appear a second time."""

RECOVERY_WALKS = 20
MAX_STALE_PAGES = 20
"""The most pages in a row without new messages before a walk by position fails."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Page = tuple[Call, Call]


class Paging(IntEnum):
    """The ways to request pages; if one does not work, the next is used."""

    ANCHORS = 0
    """Several pages per request, counted from one anchor."""

    ANCHOR = 1
    POSITION = 2


class _Ids(msgspec.Struct):
    ids: list[str]
    total: _Count | None = None
    limit: _Count | None = None


_ids = msgspec.json.Decoder(_Ids)


class QueueReader:
    """
    A reader of one server's queue that remembers what the server supports.

    Attributes:
        paging: The way of paging to try first.
        rows: The most messages per page.
        pages: The most pages per request.
    """

    def __init__(self, api: JmapApi, *, clock: Clock) -> None:
        self.paging = Paging.ANCHORS
        self.rows = PAGE_ROWS
        self.pages = PAGES_A_REQUEST
        self._api = api
        self._clock = clock
        self._good_walks = 0

    async def read(self, *, max_messages: int) -> QueueSnapshot:
        """Walk at most *max_messages* messages (0: all) and return the sums. Raises a `TargetError`."""
        self.rows = min(self.rows, self._api.limits.objects)
        try:
            snapshot = await self._walk(self.paging, max_messages)
        except _IncompleteError:
            snapshot = await self._walk(Paging.POSITION, max_messages)
        self._recover()
        return snapshot

    async def _walk(self, paging: Paging, max_messages: int) -> QueueSnapshot:
        walk = _Walk(self, QueueFold(self._clock.now()), paging, max_messages)
        while not await self._step(walk):
            pass
        return walk.finish()

    async def _step(self, walk: _Walk) -> bool:
        pages = walk.next_pages(most=max(1, min(self.pages, self._api.limits.calls // 2)))
        try:
            answers = await self._api.ask([call for page in pages for call in page])
            for query, get in pages:
                found = answers.result(query, _ids)
                ended = walk.take(found, messages_of(answers, get))
                await asyncio.sleep(0)
                if ended or walk.gave_up:
                    break
        except AnchorGone:
            if walk.is_by_position:
                raise
            walk.go_on_by_position()
            return False
        except (PayloadTooLarge, BatchTooLarge, TargetTimeout) as error:
            if not self._shrink(len(pages), rows_help=not isinstance(error, TargetTimeout)):
                raise
            return False
        return ended

    def _shrink(self, pages: int, *, rows_help: bool) -> bool:
        """Request less from now on; false if that is not possible."""
        self._good_walks = 0
        if pages > 1:
            self.pages = pages // 2
        elif rows_help and self.rows > 1:
            self.rows //= 2
        else:
            return False
        return True

    def _recover(self) -> None:
        """Request more again after `RECOVERY_WALKS` good walks."""
        self._good_walks += 1
        if self._good_walks >= RECOVERY_WALKS and self.pages < PAGES_A_REQUEST:
            self._good_walks, self.pages = 0, self.pages * 2


class _IncompleteError(Exception):
    """Far too few messages: the anchor was deferred, and the rows between its old and new place were skipped."""


class _Walk:
    """
    The state of one walk.

    Attributes:
        gave_up: The remaining pages of the current request must be ignored.
    """

    def __init__(self, reader: QueueReader, fold: QueueFold, paging: Paging, max_messages: int) -> None:
        self.gave_up = False
        self._reader = reader
        self._fold = fold
        self._max_messages = max_messages
        self._paging = paging
        self._position = 0
        self._walked = 0
        self._total: int | None = None
        self._last_id = ""
        self._first_ids: set[str] = set()
        self._before: set[str] = set()
        self._now: set[str] = set()
        self._truncated = False
        self._stale_pages = 0

    def next_pages(self, *, most: int) -> Sequence[_Page]:
        """Return the calls of the next request."""
        self.gave_up = False
        if self._now:
            self._before, self._now = self._now, set()
        rows, count = self._reader.rows, 1
        if self._total is not None and self._paging is not Paging.ANCHOR:
            wanted = self._total if not self._max_messages else min(self._total, self._max_messages)
            count = max(1, min(most, -(-(wanted - self._walked) // rows)))
        return [_page(number, self._place(number * rows), rows) for number in range(count)]

    def take(self, found: _Ids, messages: Sequence[Message]) -> bool:
        """Count a page; return true if it was the last."""
        if found.total is not None and self._total is None:
            self._total = found.total
        asked = self._reader.rows
        if found.limit:
            self._reader.rows = min(asked, found.limit)
        fresh = self._note(found.ids)
        if found.ids and not fresh:
            self._meet_stale_page()
            return False
        if self._is_full(self._count([message for message in messages if message.id in fresh])):
            return True
        return self._is_over(found, asked)

    @property
    def is_by_position(self) -> bool:
        """Whether pages are requested by their position."""
        return self._paging is Paging.POSITION

    def go_on_by_position(self) -> None:
        """Continue by position, one page back, since messages that left the queue have shifted rows forward."""
        self._paging = Paging.POSITION
        self._position = max(0, self._position - self._reader.rows)
        self._now = self._before | self._now
        self.gave_up = True

    def finish(self) -> QueueSnapshot:
        """Return the sums."""
        return self._fold.finish(truncated=self._truncated)

    def _place(self, offset: int) -> Mapping[str, Any]:
        """Return the arguments for the start of a page."""
        if not self._last_id or self._paging is Paging.POSITION:
            place = {"position": self._position + offset}
            return {**place, "calculateTotal": True} if not self._last_id else place
        return {"anchor": self._last_id, "anchorOffset": 1 + offset}

    def _note(self, ids: Sequence[str]) -> set[str]:
        """Record a page's ids and return the new ones."""
        fresh = set(ids)
        for known in (self._first_ids, self._before, self._now):
            if not fresh.isdisjoint(known):
                fresh -= known
        if fresh or self._paging is Paging.POSITION:
            self._position += len(ids)
        self._walked += len(fresh)
        self._now |= fresh
        if len(self._first_ids) < REMEMBERED:
            self._first_ids |= fresh
        if fresh:
            self._last_id = ids[-1]
            self._stale_pages = 0
        return fresh

    def _count(self, messages: Sequence[Message]) -> bool:
        """Add messages up to the limit; return true if some were left over."""
        left = self._max_messages - self._fold.messages if self._max_messages else len(messages)
        self._fold.feed(messages[:left])
        return len(messages) > left

    def _is_full(self, cut: bool) -> bool:
        full = bool(self._max_messages) and self._fold.messages >= self._max_messages
        if cut or full:
            self._truncated = cut or self._total is None or self._total > self._walked
        return cut or full

    def _is_over(self, found: _Ids, asked: int) -> bool:
        if len(found.ids) >= min(asked, found.limit or asked):
            return False
        missing = 0 if self._total is None else self._total - self._walked
        if self._total is None or missing <= self._total // 20 + 10 or self._paging is Paging.POSITION:
            return True
        if not found.ids:
            raise _IncompleteError
        self.gave_up = True
        return False

    def _meet_stale_page(self) -> None:
        """Switch to the next way of paging after a page without new rows, since the server's anchors are broken."""
        self._stale_pages += 1
        if self._stale_pages > MAX_STALE_PAGES:
            raise TargetServerError("x:QueuedMessage/query: the pages do not advance")
        if self._paging is Paging.POSITION:
            return
        if self._paging is Paging.ANCHORS:
            self._paging = Paging.ANCHOR
            self.gave_up = True
        else:
            self.go_on_by_position()
        self._reader.paging = self._paging


def _page(number: int, place: Mapping[str, Any], rows: int) -> _Page:
    """Return the calls for one page and its messages."""
    sort = [{"property": "due", "isAscending": True}]
    query = Call(f"q{number}", "x:QueuedMessage/query", {"sort": sort, **place, "limit": rows})
    get = Call(f"g{number}", "x:QueuedMessage/get", {"#ids": query.ids(), "properties": PROPERTIES})
    return query, get
