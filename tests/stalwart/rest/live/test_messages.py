"""The messages of the live streams, whichever transport brings them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.live import Heartbeat, LiveEvents
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.simulator.common.live_hub import Message, sse_frame
from exporter.stalwart.rest.live.messages import parse_metrics, parse_traces
from exporter.stalwart.streams.sse import SseDecoder
from tests.support.builders.outcomes import outcomes_of
from tests.support.worlds.hour import scripted

SAMPLE = [
    {"id": "delivery.delivered", "type": "counter", "value": 2903},
    {"id": "queue.queue-dsn", "type": "counter", "value": 58},
    {"id": "server.memory", "type": "gauge", "value": 412745728},
    {"id": "queue.count", "type": "gauge", "value": 2**64 - 3},
    {"id": "pop3.active-connections", "type": "gauge", "value": 0},
    {"id": "delivery.total-time", "type": "histogram", "count": 13041, "sum": 211908000},
]


def event(type_: str = "delivery.dsn-success", at: str = "2026-01-15T10:30:05Z", **data: object) -> dict[str, object]:
    """An event of the stream of traces."""
    span = {"queueId": 285617422336009005, "queueName": "remote", "to": ["c@example.com"]}
    return {"text": "x", "details": "x", "createdAt": at, "type": type_, "data": {**span, **data}}


def traces(*events: dict[str, object]) -> LiveEvents:
    """What a message of these events says."""
    read = parse_traces(json.dumps(events).encode())
    assert isinstance(read, LiveEvents)
    return read


def parsed(message: bytes) -> LiveEvents:
    """What a message that is no heartbeat says."""
    read = parse_traces(message)
    assert isinstance(read, LiveEvents)
    return read


def metrics(*entries: dict[str, object]) -> ServerTotals:
    """What a message of these metrics says."""
    read = parse_metrics(json.dumps(entries).encode())
    assert isinstance(read, ServerTotals)
    return read


def test_metrics_come_by_kind_under_present_names():
    """Counters, gauges and histograms as totals; an underflown gauge is unknown, a gauge at zero is zero."""
    totals = metrics(*SAMPLE)

    assert totals.counters == {"delivery.delivered": 2903, "queue.dsn-queued": 58}
    assert totals.gauges == {"server.memory": 412745728, "pop3.active-connections": 0}
    assert totals.histograms == {"delivery.total-time": HistogramTotals(sum=211908000, count=13041)}
    assert totals.unknown == {}


def test_metrics_that_no_release_has_are_counted_as_unknown():
    """Names of newer releases do not spoil the message."""
    totals = metrics(*SAMPLE, {"id": "made.up", "type": "counter", "value": 1}, {"id": "x", "type": "sundial"})

    assert totals.unknown == {"live_metric": 2}
    assert totals.counters["delivery.delivered"] == 2903


@pytest.mark.parametrize(
    ("message", "where"),
    [
        (b'[{"id": "auth.failed", "type": "counter", "value": "7"}]', "[0].value"),
        (b'[{"id": "auth.failed", "type": "counter", "value": -1}]', "[0].value"),
        (b'[{"type": "counter", "value": 7}]', "[0]"),
        (b'[{"id": "auth.failed", "type": "counter", "value": 7}', ""),
        (b'{"no": "interval"}', ""),
        (b"", ""),
        (b"\xff", ""),
    ],
)
def test_a_message_that_cannot_be_read_says_where(message: bytes, where: str):
    """Whatever a server sends, it is a payload error with the path inside the message."""
    with pytest.raises(PayloadError) as caught:
        parse_metrics(message)

    assert where in str(caught.value)


def test_a_ping_is_a_heartbeat_with_its_interval():
    """Nothing happened, and the server says how often it says so."""
    assert parse_traces(b'{"interval": 30000}') == Heartbeat(30.0)
    assert parse_metrics(b' \n{"interval": 500}') == Heartbeat(0.5)


def test_events_that_bear_on_deliveries_are_read_with_their_span():
    """The queued message, its virtual queue and the recipient are in the event itself."""
    read = traces(
        event("http.connection-start", at="2026-01-15T10:30:04Z"), event(to="c@example.com", code=250, details="queued")
    )

    (only,) = read.events
    assert (only.event_id, only.queue_id, only.queue_name) == ("delivery.dsn-success", 285617422336009005, "remote")
    assert (only.recipient, only.code, only.at) == ("c@example.com", 250, datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC))
    assert read.received == 2
    assert read.newest_at == int(only.at.timestamp())


def test_other_families_are_not_even_looked_at():
    """What a session that is none of ours carries may be of any shape."""
    other = {"createdAt": "2026-01-15T10:30:05Z", "type": "imap.noop", "data": [1, {"deep": [None]}]}

    assert traces(other).events == []
    assert traces(other).received == 1


@pytest.mark.parametrize("broken", [{"createdAt": "yesterday"}, {"createdAt": "2026-01-15T10:30:05"}, {"data": [1]}])
def test_an_event_that_cannot_be_read_spoils_its_message(broken: dict[str, object]):
    """A message is read as a whole or not at all, so that nothing of it is counted twice."""
    with pytest.raises(PayloadError, match=r"\[1\]"):
        traces(event(), {**event(), **broken})


@pytest.mark.parametrize("version", ["0.15.5", "0.12.5"])
def test_an_event_of_unusual_kinds_changes_nothing_of_what_the_others_say(version: str):
    """A value of another kind than expected is taken as absent; all outcomes of an hour are the same beside it."""
    hour = scripted(420, version=version)
    odd = json.dumps(event("delivery.delivered", queueId=1, hostname=5, code=None, to={"a": 1})).encode()
    told, told_beside = [], []

    for second in sorted(hour.told):
        message = hour.message(second)
        beside = message[:-1] + b"," + odd + b"]"
        told += parsed(message).events
        told_beside += parsed(beside).events

    outcomes = outcomes_of(told)
    assert len(outcomes) > 50
    assert outcomes_of(told_beside) == outcomes


@pytest.mark.parametrize("recipients", [["c@example.com"], ["a@example.net", "c@example.com"]])
def test_a_failure_without_a_domain_has_the_one_that_is_being_tried(recipients: list[str]):
    """Whether the attempt is for one destination or for several."""
    read = traces(
        event("delivery.attempt-start", to=recipients),
        event("delivery.domain-delivery-start", to=recipients, domain="example.com"),
        event("delivery.message-rejected", to=recipients, hostname="mx1.example.com", code=451, details="later"),
        event("queue.rescheduled", to=recipients),
    )

    (only,) = outcomes_of(read.events)

    assert (only.domain, only.reason, only.code) == ("example.com", "unexpected_response", "451")


@settings(deadline=None)
@given(st.data())
def test_where_the_network_cuts_does_not_change_what_the_stream_says(data: st.DataObject):
    """Any split of the bytes of a stream gives the messages of the whole."""
    hour = scripted(420)
    messages = [hour.message(second) for second in sorted(hour.told)[:40]]
    stream = b"".join(sse_frame(Message("trace", message)) for message in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    decoder, got = SseDecoder(), []

    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += [event.data for event in decoder.feed(stream[begin:end])]

    assert got == messages


def test_the_payload_that_the_contract_shows_is_read_whole():
    """Every entry of a frame of a busy server is known."""
    sample = Path(__file__).with_name("live-metrics-v015.json")

    totals = parse_metrics(sample.read_bytes())

    assert isinstance(totals, ServerTotals)
    assert totals.unknown == {}
    assert len(totals.counters) + len(totals.gauges) + len(totals.histograms) == len(json.loads(sample.read_bytes()))
