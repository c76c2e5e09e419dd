"""The byte-bounded queue between the reader of a stream and its consumer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import TargetUnreachable
from exporter.model.live import StreamKind
from exporter.stalwart.rest.live.client import stream_decoder
from exporter.stalwart.streams.buffer import MessageBuffer

Portion = tuple[Sequence[bytes], int]

count_events = stream_decoder(StreamKind.TRACES).count_events


def message(events: int) -> bytes:
    """A message of so many events, whose texts imitate the key that events are counted by."""
    told = [{"createdAt": "2026-01-15T10:30:05Z", "type": "x.y", "text": '"createdAt":'} for _ in range(events)]
    return json.dumps(told, separators=(",", ":")).encode()


async def portions(buffer: MessageBuffer) -> AsyncIterator[Portion]:
    """What is taken until the end."""
    while True:
        try:
            yield await buffer.take()
        except TargetUnreachable:
            return


def test_what_was_put_in_comes_out_in_order():
    """Messages are taken in portions, the oldest first, each once."""

    async def run() -> list[Portion]:
        buffer = MessageBuffer(count_events, batch_bytes=250)
        sent = [message(1), message(9), message(2), message(1), message(1)]
        for one in sent:
            buffer.put(one)
        buffer.end(TargetUnreachable("over"))
        got = [portion async for portion in portions(buffer)]
        assert all(taken and not dropped for taken, dropped in got)
        assert [one for taken, _ in got for one in taken] == sent
        return got

    assert 1 < len(asyncio.run(run())) < 5


@given(st.lists(st.one_of(st.integers(1, 30), st.none()), max_size=60))
def test_a_slow_consumer_costs_bounded_memory_and_every_event_is_accounted_for(steps: list[int | None]):
    """However slowly it is emptied, it holds no more than its bound, and what does not fit is counted."""

    async def run() -> None:
        most = len(message(30)) * 3
        # Whatever it holds is taken at once.
        buffer = MessageBuffer(count_events, most_bytes=most, batch_bytes=100 * most)
        sent = received = dropped = 0
        for step in steps:
            if step is None:
                buffer.put(message(1))
                sent += 1
                taken, lost = await buffer.take()
                assert sum(map(len, taken)) <= most
                received += sum(len(json.loads(one)) for one in taken)
                dropped += lost
            else:
                buffer.put(message(step))
                sent += step
        buffer.end(TargetUnreachable("over"))
        async for taken, lost in portions(buffer):
            assert sum(map(len, taken)) <= most
            received += sum(len(json.loads(one)) for one in taken)
            dropped += lost
        assert received + dropped == sent

    asyncio.run(run())


def test_a_message_larger_than_the_bound_is_taken_when_there_is_nothing_else():
    """A single large message is not lost for its size: the decoder has a limit of its own."""

    async def run() -> None:
        buffer = MessageBuffer(count_events, most_bytes=10)
        buffer.put(message(3))
        taken, dropped = await buffer.take()
        assert (taken, dropped) == ([message(3)], 0)

    asyncio.run(run())
