"""
The walk over a queue: by id cursor, in pages that fit, each folded and dropped.

Contract: Stalwart v0.10-v0.15, ``GET /api/queue/messages``: with ``range-start``, ``limit`` and a ``max-total`` equal
to it the server reads no more than the page, and fewer messages than the limit mean the end.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

from exporter.errors import PayloadError, PayloadTooLarge
from exporter.model.queue import QueueSnapshot
from exporter.stalwart.allowlist import Endpoint
from exporter.stalwart.rest.queue import PageResult, QueueFold
from exporter.stalwart.transport import Transport

FIRST_PAGE = 1000
SMALLEST_PAGE, LARGEST_PAGE = 100, 10_000
WANTED_BYTES = 2_500_000
"""What a page should weigh: few requests, and no step that keeps the event loop from its scrapes for long."""

WHOLE_BYTES = 4_000_000
"""Up to here a page is read in one step, which is cheaper; larger ones (many recipients a message) in parts."""

MOST_IDS = 2**64


class QueueWalk:
    """
    Walks one server's queue.

    It remembers the page size that fitted, since queues are much the same from one poll to the next.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._page = FIRST_PAGE

    async def walk(self, *, taken_at: datetime, max_messages: int) -> QueueSnapshot:
        """The whole queue, or its first *max_messages* (0: no limit)."""
        fold = QueueFold(taken_at)
        start = 0
        while True:
            limit = self._page
            left = max_messages - fold.messages if max_messages else None
            try:
                body = await self._fetch(start, limit)
            except PayloadTooLarge:
                if limit == 1:
                    raise
                self._page = limit // 2
                continue
            page = await self._fold(fold, body, left)
            del body
            if left is not None and page.items > left:
                return fold.finish(truncated=True)
            if page.items < limit or page.last_id is None:
                return fold.finish(truncated=False)
            start = self._next(page, start)

    async def _fetch(self, start: int, limit: int) -> bytes:
        params: dict[str, str | int] = {"values": 1, "limit": limit, "max-total": limit}
        if start:
            params["range-start"] = start
        body = await self._transport.request(Endpoint.QUEUE_MESSAGES, params=params)
        return body

    async def _fold(self, fold: QueueFold, body: bytes, left: int | None) -> PageResult:
        page = fold.feed(body, left) if len(body) <= WHOLE_BYTES else await _fold_in_parts(fold, body, left)
        if page.items:
            fitting = int(page.items * WANTED_BYTES / len(body))
            self._page = max(SMALLEST_PAGE, min(LARGEST_PAGE, fitting))
        return page

    @staticmethod
    def _next(page: PageResult, start: int) -> int:
        """Where the next page begins. A server or proxy that ignores the cursor must not keep us walking in circles."""
        if page.first_id is None or page.last_id is None or page.first_id < start or page.last_id >= MOST_IDS - 1:
            raise PayloadError("data.items: the server does not honour range-start")
        return page.last_id + 1


async def _fold_in_parts(fold: QueueFold, body: bytes, left: int | None) -> PageResult:
    for result in fold.feed_in_parts(body, left):
        if result is not None:
            return result
        await asyncio.sleep(0)
    raise PayloadError("data: nothing in it")
