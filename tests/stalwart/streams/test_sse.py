"""Server-Sent Events, however the network cuts them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.stalwart.streams.sse import SseDecoder, SseEvent
from tests.support.paths import RECORDINGS

RECORDING = RECORDINGS / "rest-0.15.5" / "sse-delivery-probe.http"


def decode(stream: bytes, cuts: list[int] | None = None) -> list[SseEvent]:
    """The events of *stream*, fed in pieces."""
    decoder, events = SseDecoder(), []
    places = [0, *sorted(cuts or []), len(stream)]
    for start, end in itertools.pairwise(places):
        events += decoder.feed(stream[start:end])
    return events


def unchunked(wire: bytes) -> bytes:
    """The body of an answer in chunked coding."""
    rest, body = wire.split(b"\r\n\r\n", 1)[1], b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        if not size or not int(size, 16):
            return body
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]


def test_the_recorded_stream_is_read():
    """A real server's frames come out as events with one line of JSON each."""
    events = decode(unchunked(RECORDING.read_bytes()))

    assert len(events) >= 5
    assert {event.name for event in events} == {"event"}
    assert all(event.data.startswith(b"[{") and event.data.endswith(b"}]") for event in events)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_ends_mean_the_same(end):
    """LF, CR LF and CR all end a line."""
    stream = end.join([b"event: trace", b"data: [1]", b"", b": ping", b"data: a", b"data:b", b"", b""])

    assert decode(stream) == [SseEvent("trace", b"[1]"), SseEvent("message", b"a\nb")]


def test_a_byte_order_mark_is_skipped_once():
    """The mark counts only at the very beginning, even in pieces."""
    assert decode(b"\xef\xbb\xbfdata: x\n\n", [1, 2]) == [SseEvent("message", b"x")]
    assert decode(b"\n\xef\xbb\xbfdata: x\n\n") == []


def test_unicode_line_separators_are_ordinary_characters():
    """U+2028, U+2029 and U+0085 do not end a line."""
    data = "a\u2028b\u2029c\x85d".encode()

    assert decode(b"data: " + data + b"\n\n") == [SseEvent("message", data)]


def test_an_event_without_data_is_none():
    """A name alone, a comment alone and an unknown field alone dispatch nothing."""
    assert decode(b"event: ping\n\n:\n\nid: 4\n\nretry: 5\n\n") == []


def test_an_unfinished_event_is_dropped():
    """What the end of the stream cuts off never happened."""
    assert decode(b"data: 1\n\ndata: 2\n") == [SseEvent("message", b"1")]


def test_an_endless_event_ends_the_stream():
    """Neither a line nor a pile of lines grows past the limit."""
    with pytest.raises(PayloadError):
        SseDecoder(most_bytes=100).feed(b"data: " + b"x" * 200)
    with pytest.raises(PayloadError):
        SseDecoder(most_bytes=100).feed(b"data: 12345678\n" * 20)


pieces = st.lists(
    st.sampled_from(
        [b"data", b"event", b":", b" ", b"\n", b"\r", b"\r\n", b"x", b"\xef\xbb\xbf", b"\n\n", b"id", b"\xe2\x80\xa8"]
    ),
    max_size=40,
)


@given(pieces, st.data())
def test_where_the_network_cuts_does_not_change_the_events(parts, data):
    """Any split of the byte stream decodes to the events of the whole."""
    stream = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))

    assert decode(stream, cuts) == decode(stream)


@given(st.lists(st.tuples(st.sampled_from(["trace", "metrics", "message"]), st.binary(max_size=30))))
def test_what_was_sent_is_what_is_read(sent):
    """Events written plainly are read back."""
    clean = [(name, data.replace(b"\r", b"").replace(b"\n", b"")) for name, data in sent]
    stream = b"".join(b"event: " + name.encode() + b"\ndata: " + data + b"\n\n" for name, data in clean)

    assert decode(stream) == [SseEvent(name, data) for name, data in clean]
