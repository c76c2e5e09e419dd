"""
The queue walk of v0.10-v0.15, by id cursor.

Contract: ``GET /api/queue/messages`` with ``values=1``, equal ``limit`` and ``max-total``, and ``range-start`` one past
the last id. The server then reads only the page itself, and messages that leave the queue do not shift the others. With
``page`` the cost for the server would grow with the square of the queue.
"""

from __future__ import annotations

import asyncio
from datetime import datetime

import msgspec

from exporter.errors import PayloadError, PayloadTooLarge
from exporter.model.queue import QueueSnapshot
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.queue.fold import PageResult, QueueFold

FIRST_PAGE = 1000
LARGEST_PAGE = 10_000
TARGET_BYTES = 3 * 1024 * 1024
"""The target size of a page; parsing it blocks the event loop for about ten milliseconds."""

GROWTH = 4
"""The most by which a page may be larger than the previous one, so that a run of large messages is reached slowly."""

_PART_BYTES = TARGET_BYTES + TARGET_BYTES // 2


class PageSize:
    """The number of messages per request, adapted to their size in bytes."""

    def __init__(self) -> None:
        self.messages = FIRST_PAGE

    def learn(self, *, items: int, body_bytes: int) -> None:
        """Adapt to the size of a received page."""
        if items:
            fitting = TARGET_BYTES * items // max(1, body_bytes)
            self.messages = max(1, min(fitting, LARGEST_PAGE, self.messages * GROWTH))

    def halve(self, asked: int) -> bool:
        """Halve the page after one of *asked* messages was too large; false if it cannot be smaller."""
        self.messages = max(1, asked // 2)
        return asked > 1


class _Ids(msgspec.Struct):
    items: list[int]


class _IdPage(msgspec.Struct):
    data: _Ids


_ids = msgspec.json.Decoder(_IdPage)


async def walk_queue(transport: Transport, *, taken_at: datetime, size: PageSize, max_messages: int) -> QueueSnapshot:
    """
    Fetch and add up the whole queue, or its oldest *max_messages* (0: no limit).

    Raises `PayloadError` if the pages do not advance, as when a proxy drops the cursor.
    """
    fold = QueueFold(taken_at)
    cursor = 0
    while True:
        left = max_messages - fold.messages if max_messages else None
        if left == 0:
            return fold.finish(truncated=await _goes_on(transport, cursor))
        asked = size.messages if left is None else min(size.messages, left)
        try:
            body = await transport.request(Endpoint.QUEUE_MESSAGES, params=_page(cursor, asked))
        except PayloadTooLarge:
            if not size.halve(asked):
                raise
            continue
        result = await feed_page(fold, body, left)
        size.learn(items=result.items, body_bytes=len(body))
        del body
        if result.first_id is None or result.last_id is None:
            return fold.finish(truncated=False)
        if not cursor <= result.first_id <= result.last_id:
            raise PayloadError("data.items[0].id: before the cursor; a proxy drops the parameter `range-start`")
        if left is not None and result.items > left:
            return fold.finish(truncated=True)
        if result.items < asked:
            return fold.finish(truncated=False)
        cursor = result.last_id + 1


def _page(cursor: int, messages: int) -> dict[str, str | int]:
    page: dict[str, str | int] = {"values": 1, "limit": messages, "max-total": messages}
    return {**page, "range-start": cursor} if cursor else page


async def feed_page(fold: QueueFold, body: bytes, limit: int | None) -> PageResult:
    """Count at most *limit* messages of a page; a large page in steps that yield to the event loop."""
    if len(body) <= _PART_BYTES:
        return fold.feed(body, limit)
    for result in fold.feed_in_parts(body, limit):
        if result is not None:
            return result
        await asyncio.sleep(0)
    raise PayloadError("data.items: no end")


async def _goes_on(transport: Transport, cursor: int) -> bool:
    """Whether there is a message at or after *cursor*; requests only the ids."""
    params: dict[str, str | int] = {"limit": 1, "max-total": 1, "range-start": cursor}
    ids = decode_response(_ids, await transport.request(Endpoint.QUEUE_MESSAGES, params=params)).data.items
    return any(id_ >= cursor for id_ in ids)
