"""Byte-bounded queue between the reader of a stream and its consumer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

MAX_BYTES = 8 * 1024 * 1024
BATCH_BYTES = 4 * 1024 * 1024
"""The most bytes taken at once (but at least one message): a batch is counted in one transaction."""

MAX_MESSAGES = 8192
BATCH_MESSAGES = 1024
"""The same in messages: even an empty one costs time and memory."""


class MessageBuffer:
    """
    A bounded queue of undecoded messages.

    A new message that does not fit is dropped: a server that has to wait for the exporter would queue messages without
    bound. *count_events* returns the number of events in a message without decoding it.
    """

    def __init__(
        self,
        count_events: Callable[[bytes], int],
        *,
        most_bytes: int = MAX_BYTES,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._count_events = count_events
        self._most_bytes = most_bytes
        self._batch_bytes = batch_bytes
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0
        self._end: BaseException | None = None
        self._ready = asyncio.Event()

    def put(self, message: bytes) -> None:
        """Keep *message*, or count its events as dropped."""
        if self._dropped or (self._messages and not self._has_room(message)):
            # After a drop, drop everything until the buffer is empty, so that there is only one gap.
            self._dropped += max(1, self._count_events(message))
        else:
            self._messages.append(message)
            self._bytes += len(message)
        self._ready.set()

    def _has_room(self, message: bytes) -> bool:
        return self._bytes + len(message) <= self._most_bytes and len(self._messages) < MAX_MESSAGES

    def end(self, reason: BaseException) -> None:
        """Mark the end; `take` raises *reason* once the buffer is empty."""
        self._end = reason
        self._ready.set()

    async def take(self) -> tuple[Sequence[bytes], int]:
        """
        Return the oldest messages and the number of events dropped after them.

        Raises the reason passed to `end` once everything has been taken.
        """
        await self._ready.wait()
        taken: list[bytes] = []
        size = 0
        while self._messages and (not taken or size + len(self._messages[0]) <= self._batch_bytes):
            size += len(self._messages[0])
            taken.append(self._messages.popleft())
            if len(taken) == BATCH_MESSAGES:
                break
        self._bytes -= size
        if self._messages:
            return taken, 0
        dropped, self._dropped = self._dropped, 0
        if self._end is None:
            self._ready.clear()
        elif not taken and not dropped:
            raise self._end
        return taken, dropped
