"""Streams that repeat all that went before: what is new in a frame, and when the stream is opened anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import TargetServerError
from exporter.model.live import StreamKind
from exporter.model.server import Generation
from exporter.model.telemetry import ServerTotals
from exporter.stalwart.jmap.live.client import trace_decoder
from exporter.stalwart.jmap.live.repeating_stream import (
    LARGEST_FRAME_BYTES,
    RENEWAL_SECONDS,
    RepeatingStream,
    Repetition,
)
from exporter.stalwart.jmap.live.spans import Spans
from exporter.stalwart.streams.buffer import MessageBuffer
from exporter.stalwart.streams.decoder import StreamDecoder
from exporter.stalwart.streams.live_stream import LiveStream
from exporter.stalwart.streams.stream import RenewalDue
from exporter.stalwart.switching import SwitchingClient, SwitchingLiveClient
from tests.support.builders.jmap_live import event, opening
from tests.support.live_streams import ScriptedStream, first_message
from tests.support.virtual_time import HandClock
from tests.support.worlds.jmap_hour import frame, jmap_scripted


@settings(deadline=None)
@given(st.lists(st.integers(0, 25), max_size=12), st.sampled_from([b"", b" ", b"\n"]))
def test_of_messages_that_repeat_themselves_only_what_is_new_comes_out(steps: list[int], padding: bytes):
    """However the events are spread over messages, repeated ones included, each comes out once and in order."""
    events = [one for second in sorted(jmap_scripted(420).told) for one in jmap_scripted(420).told[second]]
    repetition, told, got = Repetition(), 0, []
    for step in steps:
        told += step
        tail = repetition.take(padding + frame(events[:told]) + padding, "x")
        got += json.loads(tail)

    assert got == [json.loads(one) for one in events[:told]]


def test_events_written_in_other_words_are_still_known():
    """A server may order the members of an object anew each time."""
    first, second = {"event": "a.b", "keyValues": {"0": 1, "1": 2}}, {"event": "c.d"}
    repetition = Repetition()
    repetition.take(json.dumps([first]).encode(), "x")

    again = {"keyValues": {"1": 2, "0": 1}, "event": "a.b"}

    assert json.loads(repetition.take(json.dumps([again, second]).encode(), "x")) == [second]


@pytest.mark.parametrize(
    "surprise",
    [b"[]", b'[{"event":"a"}]', b'[{"event":"a"},{"event":"x"}]', b'[{"event":"x"},{"event":"b"}]', b'[{"event":"a"'],
)
def test_a_message_that_does_not_begin_with_what_is_known_is_no_continuation(surprise: bytes):
    """A shorter one, or one with another past: nothing in it can be told from what was counted."""
    repetition = Repetition()
    repetition.take(b'[{"event":"a"},{"event":"b"}]', "jmap_live_traces")

    with pytest.raises(TargetServerError, match="jmap_live_traces"):
        repetition.take(surprise, "jmap_live_traces")


def test_pings_and_what_is_no_array_pass():
    """They repeat nothing; what they are, their decoder tells."""
    repetition = Repetition()

    for message in (b'{"interval": 30000}', b"<html>", b"", b'{"no": "such thing"}'):
        assert repetition.take(message, "x") == message
    assert repetition.repeated_bytes == 0


def test_dropped_events_of_this_generation_are_counted_one_by_one():
    """The bounded buffer says how many events it had no room for."""
    message = json.dumps([opening(), event("queue.rescheduled", text='"keyValues":')]).encode()
    buffer = MessageBuffer(trace_decoder(Spans()).count_events, most_bytes=len(message))
    buffer.put(message)
    buffer.put(message.replace(b'": ', b'":'))

    assert asyncio.run(buffer.take()) == ([message], 2)


class Script:
    """A stream of these messages."""

    transport = "sse"

    def __init__(self, *batches: Sequence[bytes]) -> None:
        self._batches = list(batches)
        self.closed = False

    async def receive(self) -> Sequence[bytes]:
        return self._batches.pop(0)

    async def aclose(self) -> None:
        self.closed = True


def test_a_dear_stream_lasts_a_while_at_least():
    """However fast it repeats itself, it is not opened anew before its time."""
    clock = HandClock()
    frames = [b"[%s]" % b",".join([b'{"event":"a"}'] * count) for count in range(1, 9)]
    stream = RepeatingStream(Script(*([one] for one in frames)), label="x", clock=clock, repeated_bytes=30)

    async def run() -> None:
        for _ in frames[:7]:
            assert await stream.receive()
        clock.seconds += RENEWAL_SECONDS
        with pytest.raises(RenewalDue) as caught:
            await stream.receive()
        assert caught.value.wait_seconds == 0

    asyncio.run(run())


def test_a_huge_message_ends_a_young_stream_and_the_next_one_waits():
    """The next message could be beyond what is read at all; openings keep their distance nevertheless."""
    clock = HandClock()
    huge = b'[{"text":"%s"}]' % (b"x" * LARGEST_FRAME_BYTES)
    stream = RepeatingStream(Script([huge]), label="x", clock=clock)

    async def run() -> None:
        assert await stream.receive() == [huge]
        clock.seconds += 5
        with pytest.raises(RenewalDue) as caught:
            await stream.receive()
        assert caught.value.wait_seconds == pytest.approx(RENEWAL_SECONDS - 5)

    asyncio.run(run())


def test_what_came_before_a_surprise_is_handed_on():
    """The messages of one reading that are good are counted before the stream ends."""
    stream = RepeatingStream(Script([b'[{"event":"a"}]', b"[]"]), label="x", clock=HandClock())

    async def run() -> None:
        assert await stream.receive() == [b'[{"event":"a"}]']
        with pytest.raises(TargetServerError):
            await stream.receive()

    asyncio.run(run())


class Told:
    """A live client that decodes everything as its own name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.forgotten = 0

    async def open(self, kind: StreamKind) -> LiveStream:
        totals = ServerTotals(counters={self.name: 1}, gauges={}, histograms={})
        return LiveStream(ScriptedStream([b"[]"]), StreamDecoder(lambda _: totals), name=self.name)

    def forget_transport(self) -> None:
        self.forgotten += 1

    async def aclose(self) -> None:
        self.name = "closed"


def test_what_an_old_stream_brought_is_read_in_its_own_words():
    """A message that waits while the server is found to be of the other generation is still an old one."""
    rest, jmap = Told("rest"), Told("jmap-")
    switch = SwitchingClient(rest=_Client("rest"), jmap=_Client("jmap"))  # type: ignore[arg-type]
    live = SwitchingLiveClient(switch, rest=rest, jmap=jmap)

    async def run() -> None:
        old = await live.open(StreamKind.METRICS)
        switch.use(Generation.JMAP)
        new = await live.open(StreamKind.METRICS)
        counters = [getattr(await first_message(stream), "counters", None) for stream in (old, new)]
        assert counters == [{"rest": 1}, {"jmap-": 1}]
        live.forget_transport()
        assert (rest.forgotten, jmap.forgotten) == (1, 1)
        await live.aclose()
        assert (rest.name, jmap.name) == ("closed", "closed")

    asyncio.run(run())


class _Client:
    def __init__(self, generation: str) -> None:
        self.generation = generation
