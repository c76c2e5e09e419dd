"""Stored traces."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.delivery import DeliveryEvent, Trace
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS
from exporter.stalwart.events.tracker import AttemptTracker
from exporter.stalwart.rest.traces import parse_trace_ids, parse_traces
from tests.support.builders.outcomes import outcomes_of

AT = "2026-01-15T10:30:01Z"
START = {
    "createdAt": "2026-01-15T10:30:00Z",
    "type": "delivery.attempt-start",
    "data": {
        "queueId": 285617422336009005,
        "queueName": "remote",
        "from": "alice@example.org",
        "to": ["b@example.net"],
        "size": 2816,
        "total": 1,
    },
}


def told(id_: str, **data: Any) -> dict[str, Any]:
    return {"text": "x", "details": "A sentence.", "createdAt": AT, "type": id_, "data": data}


# The contract's examples: a delivery, a refusal, a connection that fails.
DELIVERED = [
    START,
    told("delivery.domain-delivery-start", domain="example.net"),
    told("mta-sts.policy-not-found", domain="example.net", elapsed=11),
    told("delivery.mx-lookup", domain="example.net", details=["mx1.example.net", "mx2.example.net"], elapsed=9),
    told("dane.tlsa-record-not-found", domain="example.net", hostname="mx1.example.net", strict=False, elapsed=6),
    told("delivery.ehlo", domain="example.net", hostname="mx1.example.net", details=["STARTTLS"], elapsed=28),
    told("delivery.rcpt-to", hostname="mx1.example.net", to="b@example.net", code=250, details="OK", elapsed=30),
    told("delivery.delivered", hostname="mx1.example.net", to="b@example.net", code=250, details="queued", elapsed=140),
    told("delivery.dsn-success", to="b@example.net", hostname="mx1.example.net", code=250, details="queued as 4F1"),
    told("delivery.completed", elapsed=1000),
    told("delivery.attempt-end", elapsed=486),
]
REFUSED = [
    told("delivery.rcpt-to-rejected", hostname="mx1.example.com", to="d@example.com", code=550, details="User unknown"),
    told(
        "delivery.dsn-perm-fail",
        to="d@example.com",
        hostname="mx1.example.com",
        details="Unexpected response for RCPT TO:<d@example.com>: "
        "Code: 550, Enhanced code: 5.1.1, Message: User unknown",
        total=0,
    ),
    told(
        "queue.queue-dsn",
        queueId=285617424433161262,
        to=["alice@example.org"],
        nextRetry=AT,
        nextDsn="2053-06-02T10:30:01Z",
    ),
    told("delivery.completed", elapsed=1000),
    told("delivery.attempt-end", elapsed=397),
]
UNREACHED = [
    told(
        "delivery.connect-error",
        domain="example.com",
        hostname="mx1.example.com",
        remoteIp="198.51.100.7",
        causedBy={"type": "smtp.error", "text": "…", "details": "…", "data": {"details": "Connection Timeout"}},
        elapsed=300000,
    ),
    told("queue.rescheduled", nextRetry=AT, nextDsn=AT, expires=AT),
    told("delivery.attempt-end", elapsed=300218),
]


def body(data: Any) -> bytes:
    return json.dumps({"data": data}).encode()


def fold(trace: Trace) -> list[tuple[str, str, str, str]]:
    return [
        (o.outcome.value, o.reason, o.code, o.domain)
        for o in outcomes_of(trace.events, AttemptTracker(one_attempt=True))
    ]


def test_ids_are_exact_and_each_once():
    """Above 2**53 a float would make another id of it."""
    ids = [285617432821780557, 285617432821780556, 285617432821780557]

    assert parse_trace_ids(body({"items": ids, "total": 3})) == ids[:2]
    assert parse_trace_ids(body({"items": [], "total": 0})) == []


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        (DELIVERED, ("delivered", "", "250", "example.net")),
        (REFUSED, ("permanent_failure", "unexpected_response", "550", "example.com")),
        (UNREACHED, ("temporary_failure", "connection_error", "", "example.com")),
    ],
)
def test_the_contracts_examples_have_their_outcome(events: list[Any], outcome: tuple[str, str, str, str]):
    """One each."""
    (trace,) = parse_traces(body(events), [5])

    assert trace.id == 5
    assert fold(trace) == [outcome]


def test_every_event_belongs_to_the_message_of_the_first():
    """Only the opening event names it."""
    (trace,) = parse_traces(body(DELIVERED), [5])

    assert {(e.queue_id, e.queue_name, e.span_recipients) for e in trace.events} == {
        (285617422336009005, "remote", ("b@example.net",))
    }
    assert [e.event_id for e in trace.events] == [
        "delivery.attempt-start",
        "delivery.domain-delivery-start",
        "delivery.delivered",
        "delivery.dsn-success",
        "delivery.attempt-end",
    ]


def test_several_come_as_a_list_of_lists_and_one_as_it_is():
    """In the order that was asked for; what is gone is an empty list."""
    assert [t.id for t in parse_traces(body([DELIVERED, [], UNREACHED]), [3, 2, 1])] == [3, 1]
    assert [t.id for t in parse_traces(body([DELIVERED]), [3])] == [3]
    assert parse_traces(body([]), [3]) == []
    assert parse_traces(body([[], []]), [3, 2]) == []


def test_an_attempt_without_an_outcome_is_a_trace_too():
    """It must not be asked for again."""
    (trace,) = parse_traces(body([told("smtp.connection-start", listenerId="smtp")]), [3])

    assert trace == Trace(id=3, events=[])


def test_only_strict_policies_fail_a_delivery():
    """The same event is mostly harmless."""
    strict = told("dane.tlsa-record-fetch-error", domain="example.net", hostname="mx", strict=True)
    lax = told("mta-sts.policy-fetch-error", domain="example.net", strict=False)

    (trace,) = parse_traces(body([START, strict, lax, told("queue.rescheduled")]), [1])

    assert fold(trace) == [("temporary_failure", "dane_error", "", "example.net")]


def test_causes_are_read_where_they_are_of_the_session():
    """A reply code inside a cause; the numbers of a DNS error are none."""
    reply = {"type": "smtp.error", "data": {"details": "Unexpected SMTP Response", "code": 554, "reason": "no"}}
    dns = {"type": "mail-auth.dns-record-not-found", "data": {"code": 451}}
    (trace,) = parse_traces(
        body([told("delivery.message-rejected", causedBy=reply), told("delivery.mx-lookup-failed", causedBy=dns)]), [1]
    )

    assert [(e.code, e.text) for e in trace.events] == [
        (554, "Unexpected SMTP Response: Code: 554, Message: no"),
        (0, ""),
    ]


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ([{"type": "delivery.attempt-start", "data": {}}], "data[0]"),
        ([{"createdAt": "now", "type": "x"}], "data[0].createdAt"),
        ([[{"createdAt": AT, "type": 7}]], "data[0][0].type"),
        ([[], [START, {"createdAt": AT, "type": "delivery.attempt-end", "data": []}]], "data[1][1].data"),
        ([START | {"createdAt": "0001-01-01T00:00:00+23:00"}], "data[0].createdAt"),
        ([7], "data[0]"),
        ({}, "data"),
    ],
)
def test_what_is_mistyped_is_refused_with_its_path(data: Any, path: str):
    """An event without a time or a type cannot be placed."""
    with pytest.raises(PayloadError, match="^" + path.replace("[", r"\[").replace("]", r"\]") + ":"):
        parse_traces(body(data), [1, 2] if "data[1]" in path else [1])


def test_another_number_of_traces_is_refused():
    """They could not be told apart."""
    with pytest.raises(PayloadError, match="2 traces instead of 3"):
        parse_traces(body([DELIVERED, REFUSED]), [1, 2, 3])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "data", "details"]), inner),
    max_leaves=6,
)
KEYS = ["queueId", "queueName", "to", "domain", "hostname", "code", "details", "causedBy", "reason", "strict"]


@given(st.lists(st.tuples(st.sampled_from(sorted(FOLLOWED_EVENTS)), st.dictionaries(st.sampled_from(KEYS), JSON))))
def test_keys_of_any_kind_are_read(events: list[tuple[str, dict[str, Any]]]):
    """The same key has different kinds of value; none of them breaks anything."""
    traces = parse_traces(body([told(id_, **data) for id_, data in events]), [1])

    for event in (e for trace in traces for e in trace.events):
        assert isinstance(event, DeliveryEvent)
        assert all(isinstance(v, str) for v in (event.recipient, event.domain, event.hostname, event.text))
        assert isinstance(event.code, int)
        assert isinstance(event.queue_id, int)
        outcomes_of([event])


@given(st.data())
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject):
    """Any cut, and any byte changed, gives traces or `PayloadError`."""
    whole = bytearray(body([DELIVERED, UNREACHED]))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])

    try:
        assert len(parse_traces(cut, [1, 2])) <= 2
        parse_trace_ids(cut)
    except PayloadError:
        return


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(raw: bytes):
    """Nothing but `PayloadError` comes out."""
    for read in (parse_trace_ids, lambda b: parse_traces(b, [1])):
        with pytest.raises(PayloadError):
            read(raw)
