"""Streams that repeat all that went before: what is new in a frame, and when the stream is opened anew."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import TargetServerError
from exporter.ingest.loops.buffer import MessageBuffer
from exporter.stalwart.jmap.live.repeating_stream import Repetition
from tests.support.builders.jmap_live import event, opening
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
    buffer = MessageBuffer(most_bytes=len(message))
    buffer.put(message)
    buffer.put(message.replace(b'": ', b'":'))

    assert asyncio.run(buffer.take()) == ([message], 2)
