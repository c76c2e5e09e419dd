"""Stored traces of delivery attempts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError, TargetServerError, TargetUnsupported
from exporter.model.delivery import Trace
from exporter.stalwart.jmap.traces import KeyValue, parse_trace_list, plain_values, traces_decoder
from exporter.stalwart.rest.traces import parse_traces
from tests.support.replays.jmap import JmapServer, MethodError, number_of
from tests.support.replays.jmap_client import asked, methods_of, snowflake, stamp
from tests.support.worlds.told_events import AT, Attempt, Cause, Milliseconds, Told, trace_body

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def typed(value: Any) -> dict[str, Any]:
    """A value as v0.16 wraps it."""
    match value:
        case bool():
            return {"@type": "Boolean", "value": value}
        case int():
            return {"@type": "UnsignedInt", "value": value}
        case str():
            return {"@type": "String", "value": value}
        case Milliseconds():
            return {"@type": "Duration", "value": value.value}
        case Cause():
            return {"@type": "Event", "event": value.id, "value": pairs_of(value.pairs)}
        case list() | tuple():
            return {"@type": "List", "value": {str(n): typed(one) for n, one in enumerate(value)}}
        case _:
            return {"@type": "Null"}


def pairs_of(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Keys and values as v0.16 lists them."""
    return {str(number): {"key": key, "value": typed(value)} for number, (key, value) in enumerate(pairs)}


def row(id_: str, attempt: Attempt, events: Sequence[Told], *, at: datetime = START) -> dict[str, Any]:
    """A stored trace; its first event opens the span."""
    told = {}
    for number, event in enumerate(events):
        pairs = [*(attempt.pairs().items() if number == 0 else ()), *event.pairs.items()]
        told[str(number)] = {"event": event.id, "timestamp": AT, "keyValues": pairs_of(pairs)}
    return {"id": id_, "timestamp": stamp(at), "from": attempt.sender, "to": "d@example.com", "size": 1, "events": told}


def server_with(rows: list[dict[str, Any]], **settings: Any) -> JmapServer:
    """A licensed server with such traces."""
    server = JmapServer.recorded()
    server.account = {**server.account, "edition": "enterprise"}
    server.rows["Trace"] = rows
    for name, value in settings.items():
        setattr(server, name, value)
    return server


FAILED = (
    Told("delivery.attempt-start"),
    Told("delivery.domain-delivery-start", {"domain": "example.com"}),
    Told("delivery.connect", {"remoteIp": "192.0.2.1", "elapsed": Milliseconds(3)}),
    Told(
        "delivery.mail-from-rejected",
        {
            "hostname": "mx.example.com",
            "causedBy": Cause("smtp.error", [("details", "Unexpected SMTP Response"), ("code", 451), ("reason", "No")]),
        },
    ),
    Told("queue.rescheduled", {"nextRetry": None}),
    Told("delivery.attempt-end", {"elapsed": Milliseconds(90)}),
)


def test_a_trace_tells_the_same_as_in_earlier_releases():
    """Events, their texts and codes, and the message that only the first one names."""
    attempt = Attempt()
    number = number_of(snowflake(START))
    server = server_with([row(snowflake(START), attempt, FAILED)])

    traces = asked(server, lambda client: client.fetch_traces([number]))

    assert list(traces) == parse_traces(trace_body(attempt, FAILED), [number])
    assert [event.code for event in traces[0].events] == [0, 0, 451, 0, 0]


VALUES = st.one_of(
    st.text(max_size=12),
    st.integers(0, 2**64 - 1),
    st.booleans(),
    st.none(),
    st.integers(0, 10**6).map(Milliseconds),
    st.lists(st.text(max_size=6), max_size=3),
    st.builds(
        lambda title, code, reason: Cause("smtp.error", [("details", title), ("code", code), ("reason", reason)]),
        st.sampled_from(["Unexpected SMTP Response", "I/O Error", "x"]),
        st.integers(100, 999),
        st.text(max_size=8),
    ),
)
KEYS = st.sampled_from(["to", "domain", "hostname", "code", "details", "reason", "causedBy", "strict", "queueName"])
IDS = st.sampled_from(
    ["delivery.dsn-perm-fail", "delivery.rcpt-to-rejected", "queue.rescheduled", "mta-sts.policy-not-found", "no.such"]
)


@given(st.lists(st.builds(Told, IDS, st.dictionaries(KEYS, VALUES, max_size=4)), max_size=5))
def test_any_trace_reads_as_in_earlier_releases(events: list[Told]):
    """Whatever kind of value a key has."""
    attempt = Attempt()
    told = [Told("delivery.attempt-start"), *events]
    body = [row("b", attempt, told)]
    traces = parse_trace_list(traces_decoder.decode(json.dumps({"list": body}).encode()), {"b": 1})

    assert traces == parse_traces(trace_body(attempt, told), [1])


def test_members_keep_their_order_past_ten():
    """They are keyed by number, and the keys sort otherwise as texts."""
    events = [Told("delivery.attempt-start"), *(Told("delivery.dsn-success", {"code": 200 + n}) for n in range(15))]
    server = server_with([row("b", Attempt(), events)])
    server.rows["Trace"][0]["events"] = dict(sorted(server.rows["Trace"][0]["events"].items()))

    traces = asked(server, lambda client: client.fetch_traces([1]))

    assert [event.code for event in traces[0].events[1:]] == [200 + n for n in range(15)]


def test_of_a_key_that_comes_twice_the_first_value_counts():
    """In an event and in the cause of one, as the earlier releases told it."""
    cause = Cause("smtp.error", [("details", "Unexpected SMTP Response"), ("details", "DATA")])
    pairs = pairs_of([("to", "a@b.test"), ("to", "c@d.test"), ("causedBy", cause)])

    values = plain_values(msgspec.convert(pairs, dict[str, KeyValue]))

    assert values["to"] == "a@b.test"
    assert values["causedBy"]["data"] == {"details": "Unexpected SMTP Response"}


def test_values_of_unknown_kinds_are_absent():
    """A later release may have more of them."""
    pairs = {
        "0": {"key": "code", "value": {"@type": "Matrix", "value": [[1]]}},
        "1": {"key": "to", "value": 7},
        "2": {"key": "reason", "value": {"@type": "List", "value": 3}},
        "3": {"key": "causedBy", "value": {"@type": "Event", "event": "x.y", "value": {"0": 5}}},
    }
    values = plain_values(msgspec.convert(pairs, dict[str, KeyValue]))

    assert values == {"code": None, "to": None, "reason": None, "causedBy": {"type": "x.y", "data": {}}}


@pytest.mark.parametrize("events", [{"0": {"event": "delivery.dsn-success"}}, [], None])
def test_a_trace_that_cannot_be_read_is_a_payload_error(events: Any):
    """Of an event a name and a time are needed."""
    server = server_with([{"id": "b", "timestamp": stamp(START), "events": events}])

    with pytest.raises(PayloadError, match="x:Trace/get"):
        asked(server, lambda client: client.fetch_traces([1]))


def test_traces_come_in_the_order_asked_for_and_those_that_are_gone_do_not():
    """Many of them in pieces that the server takes."""
    count = 700
    ids = [snowflake(START, sequence=n) for n in range(count)]
    server = server_with([row(id_, Attempt(), FAILED[:1]) for id_ in ids])
    numbers = [number_of(id_) for id_ in reversed(ids)]

    traces: Sequence[Trace] = asked(server, lambda client: client.fetch_traces([5, *numbers]))

    assert [trace.id for trace in traces] == numbers
    assert all(len(arguments["ids"]) <= 500 for _, arguments in methods_of(server, "Trace"))


@pytest.mark.parametrize(("there", "most"), [(0, 5000), (3, 5000), (12, 5), (10, 5), (11, 5)])
@pytest.mark.parametrize("anchors_work", [True, False])
def test_ids_of_attempts_come_newest_first_each_once(there: int, most: int, anchors_work: bool):
    """Over as many pages as it takes, without inbound sessions and what is too old."""
    times = [START + timedelta(minutes=n) for n in range(there)]
    rows = [row(snowflake(at), Attempt(), FAILED, at=at) for at in times]
    rows.append(row(snowflake(START, node=3), Attempt(), [Told("smtp.connection-start")]))
    rows.append(row(snowflake(START - timedelta(hours=1)), Attempt(), FAILED, at=START - timedelta(hours=1)))
    server = server_with(rows, anchors_work=anchors_work, schema={"MetricType": []} if not anchors_work else None)
    server.limits["query"] = most

    ids = asked(server, lambda client: client.fetch_trace_ids(after=START - timedelta(seconds=1)))

    assert list(ids) == [number_of(snowflake(at)) for at in reversed(times)]


@pytest.mark.parametrize(("served", "error"), [(False, TargetUnsupported), (True, TargetServerError)])
def test_a_store_that_was_never_set_up_is_told_from_one_in_trouble(served: bool, error: type[Exception]):
    """The server says the same of both; the second has answered before."""
    server = server_with([row("b", Attempt(), FAILED)])

    async def job(client: Any) -> None:
        if served:
            await client.fetch_trace_ids(after=START)
        server.error["x:Trace/query"] = MethodError("serverUnavailable")
        await client.fetch_trace_ids(after=START)

    with pytest.raises(error) as caught:
        asked(server, job)
    assert getattr(caught.value, "status", "not_configured") == "not_configured"
