"""Reads the messages that an operator means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exporter.cli.queue.connection import Operation
from exporter.stalwart.operator.messages import QueuedMessage
from exporter.stalwart.operator.selection import Selection


@dataclass(frozen=True, slots=True)
class Found:
    """
    The messages that a filter selects.

    Attributes:
        messages: Oldest first.
        selection: The filter, with ids as the server spells them.
        missing: The given ids that are not in the queue, with the reason.
        truncated: The queue is longer than was read.
    """

    messages: Sequence[QueuedMessage]
    selection: Selection
    missing: Sequence[tuple[str, str]] = ()
    truncated: bool = False


async def find(operation: Operation, selection: Selection, ids: Sequence[str], *, max_messages: int) -> Found:
    """Return the messages with *ids*, or all, as far as *selection* matches. Raises a `TargetError`."""
    if ids:
        return await _by_id(operation, selection, ids)
    kept: list[QueuedMessage] = []
    read = 0
    async for page in operation.client.walk(max_messages=max_messages):
        read += len(page)
        now = operation.clock.now()
        kept += [message for message in page if selection.matches(message, now)]
    kept.sort(key=lambda message: message.created_at)
    return Found(kept, selection, truncated=bool(max_messages) and read >= max_messages)


async def _by_id(operation: Operation, selection: Selection, ids: Sequence[str]) -> Found:
    normal = {given: operation.client.normal_id(given.strip()) for given in ids}
    wanted = sorted({id_ for id_ in normal.values() if id_ is not None})
    found = await operation.client.fetch(wanted) if wanted else {}
    missing = [
        (given, "it is not a message id of this server" if id_ is None else "it is not in the queue")
        for given, id_ in normal.items()
        if id_ is None or id_ not in found
    ]
    selection = replace(selection, ids=frozenset(wanted))
    now = operation.clock.now()
    messages = [message for message in found.values() if selection.matches(message, now)]
    return Found(sorted(messages, key=lambda message: message.created_at), selection, missing)
