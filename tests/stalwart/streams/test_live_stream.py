"""An open stream as its consumer sees it: decoded, in order, with a limit on silence, and closed for good."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from exporter.errors import PayloadError, TargetTimeout, TargetUnreachable
from exporter.model.live import Heartbeat, LiveEvents, LiveMessage, RepeatedEvents, StreamKind, UnreadableMessage
from exporter.stalwart.rest.live.client import stream_decoder
from exporter.stalwart.streams.buffer import BATCH_MESSAGES
from exporter.stalwart.streams.decoder import StreamDecoder
from exporter.stalwart.streams.live_stream import LiveStream
from tests.support.live_streams import ScriptedStream

PING = b'{"interval":30000}'
END = TargetUnreachable("over")


def traces(queue_id: int) -> bytes:
    """A message of one event of a delivery."""
    event = {"createdAt": "2026-01-15T10:30:05Z", "type": "delivery.dsn-success", "data": {"queueId": queue_id}}
    return json.dumps([event], separators=(",", ":")).encode()


def live_stream(scripted: ScriptedStream) -> LiveStream:
    """The stream of traces of v0.15 that *scripted* brings."""
    return LiveStream(scripted, stream_decoder(StreamKind.TRACES), name="live_traces")


async def take_all(stream: LiveStream, got: list[LiveMessage]) -> None:
    """Adds what comes to *got*; raises what the stream ends with."""
    async with stream.reading():
        while True:
            got += (await stream.receive()).messages


def run(work: Callable[[], Awaitable[None]]) -> None:
    """Runs *work* with a bound on its time, for a stream that hangs."""

    async def inside() -> None:
        async with asyncio.timeout(10):
            await work()

    asyncio.run(inside())


def test_everything_received_is_delivered_before_the_error_that_ended_the_stream():
    """The consumer counts what arrived, in order, and then learns why there is no more."""

    async def work() -> None:
        scripted = ScriptedStream([traces(1), PING], [], [traces(2)], END)
        stream = live_stream(scripted)
        got: list[LiveMessage] = []
        with pytest.raises(TargetUnreachable, match="over"):
            await take_all(stream, got)
        first, ping, second = got
        assert isinstance(first, LiveEvents)
        assert isinstance(second, LiveEvents)
        assert ping == Heartbeat(30)
        assert [event.queue_id for event in (*first.events, *second.events)] == [1, 2]
        assert scripted.is_closed

    run(work)


def test_unreadable_and_repeated_messages_keep_their_place():
    """What cannot be decoded ends nothing, and a repetition is told from two attempts."""

    async def work() -> None:
        stream = live_stream(ScriptedStream([traces(1), b"[{}]", traces(1), PING, traces(1), traces(2), traces(1)]))
        async with stream.reading():
            batch = await stream.receive()
            got = list(batch.messages)
        assert [type(one) for one in got] == [
            LiveEvents,
            UnreadableMessage,
            RepeatedEvents,
            Heartbeat,
            RepeatedEvents,
            LiveEvents,
            LiveEvents,
        ]
        assert got[1] == UnreadableMessage("[0]: Object missing required field `createdAt`")
        assert got[2] == RepeatedEvents(received=1)
        assert batch.dropped == 0

    run(work)


def test_messages_are_decoded_as_the_consumer_reaches_them():
    """What waits is raw, so that the bound on its bytes is one on memory."""
    decoded: list[bytes] = []

    def decode(message: bytes) -> Heartbeat:
        decoded.append(message)
        return Heartbeat(1)

    async def work() -> None:
        scripted = ScriptedStream([b"1", b"2", b"3"])
        stream = LiveStream(scripted, StreamDecoder(decode), name="x")
        async with stream.reading():
            await scripted.silent.wait()
            batch = await stream.receive()
            assert decoded == []
            next(iter(batch.messages))
            assert decoded == [b"1"]

    run(work)


def test_a_stream_that_outruns_its_consumer_reports_the_events_it_dropped():
    """The oldest are delivered, and the events of the rest are counted after the last of them."""

    async def work() -> None:
        scripted = ScriptedStream(*[[traces(number)] * BATCH_MESSAGES for number in range(9)])
        stream = live_stream(scripted)
        async with stream.reading():
            await scripted.silent.wait()
            batches = [await stream.receive() for _ in range(8)]
        assert sum(len(list(batch.messages)) for batch in batches) == 8 * BATCH_MESSAGES
        assert [batch.dropped for batch in batches] == [0] * 7 + [BATCH_MESSAGES]

    run(work)


def test_silence_past_the_limit_ends_the_stream():
    """The limit is asked for before each wait, and a sign of life without a message counts as one."""
    limits, signs = iter([60.0, 60.0, 0.01]), []

    async def work() -> None:
        stream = live_stream(ScriptedStream([], [PING]))
        async with stream.reading(idle_seconds=lambda: next(limits), received=lambda: signs.append(1)):
            assert list((await stream.receive()).messages) == [Heartbeat(30)]
            with pytest.raises(TargetTimeout, match=r"^live_traces: nothing received for 0\.01 s$"):
                await stream.receive()
        assert len(signs) == 2

    run(work)


def test_the_reading_ends_with_its_block():
    """Whatever ends the block, no task is left behind and the connection is closed."""

    async def fail(scripted: ScriptedStream) -> None:
        async with live_stream(scripted).reading():
            await scripted.silent.wait()
            raise PayloadError("no more of this")

    async def work() -> None:
        scripted = ScriptedStream([PING])
        with pytest.raises(PayloadError):
            await fail(scripted)
        assert scripted.is_closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(work)
