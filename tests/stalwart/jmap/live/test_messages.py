"""The messages of the live streams of v0.16, and what of them is new."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.live import Heartbeat, LiveEvents
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.stalwart.jmap.live.messages import parse_metrics, parse_traces
from exporter.stalwart.jmap.live.spans import MAX_UNDER_WAY, Spans
from exporter.stalwart.jmap.schema import CounterNames
from tests.support.builders.jmap_live import QUEUE_ID, SPAN, event, opening

DOCUMENTED_METRICS = (
    b'[{"metric":"auth.success","@type":"Counter","count":42},'
    b'{"metric":"server.memory","@type":"Gauge","count":187654144},'
    b'{"metric":"delivery.total-time","@type":"Histogram","count":912,"sum":4821177}]'
)
DOCUMENTED_TRACE = (
    b'[{"event":"smtp.connection-start","timestamp":"2026-10-26T09:00:00Z","keyValues":{'
    b'"0":{"key":"listenerId","value":{"@type":"String","value":"smtp"}},'
    b'"1":{"key":"remoteIp","value":{"@type":"IpAddr","value":"203.0.113.9"}},'
    b'"2":{"key":"spanId","value":{"@type":"UnsignedInt","value":337065174630400513}}}}]'
)


def traces(spans: Spans, *events: dict[str, Any]) -> LiveEvents:
    """What a message of these events says."""
    read = parse_traces(json.dumps(events).encode(), spans)
    assert isinstance(read, LiveEvents)
    return read


def metrics(*entries: dict[str, Any], names: CounterNames = CounterNames.RIGHT) -> ServerTotals:
    """What a message of these metrics says."""
    read = parse_metrics(json.dumps(entries).encode(), names)
    assert isinstance(read, ServerTotals)
    return read


def counter(name: str, count: int) -> dict[str, Any]:
    """A counter's entry."""
    return {"metric": name, "@type": "Counter", "count": count}


MEMORY = {"metric": "server.memory", "@type": "Gauge", "count": 412745728}
TIMES = {"metric": "delivery.total-time", "@type": "Histogram", "count": 13, "sum": 211}


def test_the_documented_metrics_are_read():
    """`metric`, `@type` and `count` of all three kinds."""
    totals = parse_metrics(DOCUMENTED_METRICS, CounterNames.RIGHT)

    assert isinstance(totals, ServerTotals)
    assert totals.counters == {"auth.success": 42}
    assert totals.gauges == {"server.memory": 187654144}
    assert totals.histograms == {"delivery.total-time": HistogramTotals(sum=4821177, count=912)}
    assert (totals.unknown, totals.counters_withheld) == ({}, "")


def test_an_underflown_gauge_is_left_out_and_unknown_names_are_counted():
    """What no release has does not spoil the message, and a huge gauge is no reading."""
    totals = metrics(
        counter("made.up", 1),
        {"metric": "x", "@type": "Sundial"},
        {"metric": "queue.count", "@type": "Gauge", "count": 2**64 - 3},
        {"metric": "queue.other", "@type": "Gauge", "count": 1},
        MEMORY,
    )

    assert totals.gauges == {"server.memory": 412745728}
    assert totals.unknown == {"live_metric": 3}


@pytest.mark.parametrize("names", [CounterNames.WRONG, CounterNames.RIGHT, CounterNames.UNKNOWN])
def test_counters_under_wrong_names_are_withheld_and_the_rest_is_not(names: CounterNames):
    """Known by the schema, or by a name that no healthy server prints: unknown counters, not zeros."""
    told = [counter("auth.warning", 7)] if names is not CounterNames.WRONG else [counter("auth.failed", 7)]

    totals = metrics(*told, counter("delivery.delivered", 3), MEMORY, TIMES, names=names)

    assert totals.counters == {}
    assert "v0.16.12" in totals.counters_withheld
    assert totals.gauges == {"server.memory": 412745728}
    assert totals.histograms == {"delivery.total-time": HistogramTotals(sum=211, count=13)}


def test_the_name_of_an_event_that_is_never_counted_gives_an_unknown_release_away():
    """Where the schema says nothing, such a counter cannot be right; where it says all is well, it is a new release."""
    told = [counter("smtp.connection-end", 7), counter("auth.failed", 1)]

    assert metrics(*told, names=CounterNames.UNKNOWN).counters_withheld
    assert metrics(*told, names=CounterNames.RIGHT).counters["auth.failed"] == 1


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (b'[{"metric": "auth.failed", "@type": "Counter", "count": "7"}]', "[0].count"),
        (b'[{"metric": "auth.failed", "@type": "Counter", "count": -1}]', "[0].count"),
        (b'[{"metric": "auth.failed", "@type": "Counter"}]', "[0].count"),
        (b'[{"metric": "delivery.total-time", "@type": "Histogram", "count": 1}]', "[0].sum"),
        (b'[{"metric": "server.memory", "@type": "Gauge"}]', "[0].count"),
        (b'[{"@type": "Counter", "count": 7}]', "[0]"),
        (json.dumps([counter("queue.queue-dsn", 1), counter("queue.dsn-queued", 2)]).encode(), "[1]"),
        (b'{"no": "interval"}', ""),
        (b"", ""),
        (b"\xff", ""),
    ],
)
def test_a_message_of_metrics_that_cannot_be_read_says_where(message: bytes, where: str):
    """A counter without its number is no counter at zero, which would look like a restart."""
    with pytest.raises(PayloadError) as caught:
        parse_metrics(message, CounterNames.RIGHT)

    assert where in str(caught.value)


def test_the_documented_event_and_ping_are_read():
    """What does not bear on deliveries counts as received and no more."""
    read = parse_traces(DOCUMENTED_TRACE, Spans())

    at = int(datetime(2026, 10, 26, 9, tzinfo=UTC).timestamp())
    assert read == LiveEvents([], 1, at, at)
    assert parse_traces(b'{"interval": 30000}', Spans()) == Heartbeat(30.0)


def test_an_event_is_about_the_message_that_opened_its_span():
    """Message, virtual queue and recipients come from the opening, across messages and for each span its own."""
    spans = Spans()
    traces(spans, opening(), event("delivery.attempt-start", span=SPAN + 1, queueId=7, queueName="local"))

    read = traces(spans, event("delivery.dsn-success", to="c@ok.test", code=250), event("queue.rescheduled"))
    (other,) = traces(spans, event("queue.rescheduled", span=SPAN + 1)).events

    assert [(e.queue_id, e.queue_name) for e in read.events] == [(QUEUE_ID, "remote")] * 2
    assert read.events[0].recipient == "c@ok.test"
    assert read.events[1].span_recipients == ("c@ok.test", "d@ok.test")
    assert (other.queue_id, other.queue_name) == (7, "local")


def test_what_is_told_after_the_end_of_an_attempt_is_still_about_its_message():
    """The end is not always the last that is told."""
    spans = Spans()

    read = traces(spans, opening(), event("delivery.attempt-end"), event("queue.rescheduled"))

    assert [e.queue_id for e in read.events] == [QUEUE_ID] * 3


def test_an_attempt_that_began_unseen_has_a_number_that_is_no_message():
    """Events of two such attempts are not mixed."""
    read = traces(Spans(), event("queue.rescheduled"), event("queue.rescheduled", span=SPAN + 1))

    assert [e.queue_id for e in read.events] == [-SPAN, -SPAN - 1]


def test_attempts_that_are_never_seen_to_end_are_forgotten_at_last():
    """Memory is bounded; the oldest goes first."""
    spans = Spans()
    for number in range(MAX_UNDER_WAY + 1):
        traces(spans, opening(SPAN + number))

    first, second = traces(spans, event("queue.rescheduled"), event("queue.rescheduled", span=SPAN + 1)).events

    assert (first.queue_id, second.queue_id) == (-SPAN, QUEUE_ID)


@pytest.mark.parametrize(
    "broken",
    [
        {"timestamp": "yesterday"},
        {"timestamp": "2026-01-15T10:30:05"},
        {"keyValues": [1]},
        {"keyValues": {"0": {"key": 1, "value": {}}}},
        {"event": None},
    ],
)
def test_an_event_that_cannot_be_read_spoils_its_message(broken: dict[str, Any]):
    """A message is read as a whole or not at all, and what it holds is not quoted."""
    secret = event("delivery.dsn-success", details="hunter2")

    with pytest.raises(PayloadError) as caught:
        traces(Spans(), opening(), {**secret, **broken})

    assert "[1]" in str(caught.value)
    assert "hunter2" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**65) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["queueId", "queueName", "to", "spanId", "code", "details", "causedBy", "domain", "strict"])
TYPES = st.sampled_from(["String", "UnsignedInt", "List", "Event", "Null", "Duration", "Sundial"])


@settings(deadline=None)
@given(st.data())
def test_hostile_values_give_events_or_a_payload_error(data: st.DataObject):
    """Whatever stands under a key, it is an event of the model or an error of ours."""
    value = st.fixed_dictionaries({"@type": TYPES, "value": JSON}) | JSON
    pairs = st.lists(st.fixed_dictionaries({"key": KEYS, "value": value}), max_size=6)
    names = st.sampled_from(["delivery.attempt-start", "delivery.dsn-perm-fail", "queue.rescheduled", "x.y"])
    told = [
        {
            "event": data.draw(names),
            "timestamp": "2026-11-22T12:00:05Z",
            "keyValues": {str(n): pair for n, pair in enumerate(data.draw(pairs))},
        }
        for _ in range(3)
    ]

    try:
        read = parse_traces(json.dumps(told).encode(), Spans())
    except PayloadError:
        return

    assert isinstance(read, LiveEvents)
    assert read.received == 3
    assert all(type(e.queue_id) is int and isinstance(e.recipient, str) for e in read.events)
