"""Splitting of bodies into events."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.stalwart.webhooks.wire import SLICE_BYTES, EventSplitter, WireEvent
from tests.support.webhooks import OPS, body_of, event, recorded_posts

ODD = st.recursive(
    st.none() | st.booleans() | st.integers(0, 1 << 64) | st.text(max_size=8) | st.just('},{"id":"'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def split(body: bytes, pieces: int) -> list[WireEvent]:
    """The events of *body*, fed in pieces of a size."""
    splitter = EventSplitter()
    events: list[WireEvent] = []
    for at in range(0, len(body), pieces):
        for some in splitter.feed(body[at : at + pieces]):
            events += some
    return [*events, *splitter.finish()]


@pytest.mark.parametrize("recording", OPS)
def test_recorded_bodies_have_all_their_events(recording: str):
    """Each event of a real body is decoded, in order."""
    for post in recorded_posts(recording):
        wanted = json.loads(post.body)["events"]

        events = split(post.body, 10_000)

        assert [(e.type, e.created_at, e.data) for e in events] == [
            (e["type"], e["createdAt"], e["data"]) for e in wanted
        ]


@given(st.lists(st.dictionaries(st.text(max_size=5), ODD, max_size=4), min_size=1, max_size=4), st.integers(1, 50_000))
def test_where_a_long_body_is_cut_changes_nothing(many: list[dict[str, object]], pieces: int):
    """A body of many slices decodes as if it were decoded at once, whatever the events contain."""
    events = [
        {"id": str(n), "createdAt": "2026-01-01T00:00:00Z", "type": "x.y", "data": data} for n, data in enumerate(many)
    ]
    times = 2 * SLICE_BYTES // len(body_of(events)) + 1
    body = body_of(events * times)

    assert [e.data for e in split(body, pieces)] == many * times


def test_a_slice_ends_between_events_only():
    """Objects in a list inside an event look like events; they are not taken for such."""
    nested = [{"id": "a"}, {"id": "b"}] * 20_000
    body = body_of([event("a.b", list=nested), event("c.d")])

    assert [e.type for e in split(body, 65_536)] == ["a.b", "c.d"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"events":[', b'{"events":[{"id":"1"}]}', b"\xff\xfe", b"[" * 100_000, b"<html>"]
)
def test_other_bodies_are_refused(body: bytes):
    """What is not a post raises `PayloadError`."""
    with pytest.raises(PayloadError):
        split(body, 1000)


def test_a_truncated_body_gives_the_events_before_its_end():
    """The events of whole slices are decoded, and the end raises."""
    body = body_of(event("a.b", n=n) for n in range(3000))[:-20]
    splitter = EventSplitter()

    events = [e for some in splitter.feed(body) for e in some]

    assert 1000 < len(events) < 3000
    with pytest.raises(PayloadError):
        splitter.finish()


def test_a_repetition_has_the_same_checksum_and_another_event_has_not():
    """The id and the order of keys do not matter; type, time and data do."""
    one = split(body_of([event("a.b", id_="1", x=1, y=2)]), 999)[0]
    again = split(body_of([{"type": "a.b", "id": "2", "data": {"y": 2, "x": 1}, "createdAt": one.created_at}]), 999)[0]
    others = [event("a.c", x=1, y=2), event("a.b", x=1, y=3), event("a.b", "2026-11-30T10:00:01Z", x=1, y=2)]

    assert one.digest() == again.digest()
    assert len({e.digest() for e in split(body_of(others), 999)} | {one.digest()}) == 4
