"""Stored metrics."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.telemetry import StoredSample
from exporter.stalwart.rest.stored import parse_stored_metrics

AT = datetime(2026, 1, 15, 10, tzinfo=UTC)
COUNTER = {"type": "counter", "id": "smtp.connection-start", "timestamp": "2026-01-15T10:00:00Z", "value": 412}
GAUGE = {"type": "gauge", "id": "queue.count", "timestamp": "2026-01-15T10:00:00Z", "value": 17}
HISTOGRAM = {
    "type": "histogram",
    "id": "delivery.total-time",
    "timestamp": "2026-01-15T10:00:00Z",
    "count": 96,
    "sum": 331000,
}


def body(*samples: Any) -> bytes:
    return json.dumps({"data": list(samples)}).encode()


def test_each_kind_is_read():
    """The contract's own example."""
    assert parse_stored_metrics(body(COUNTER, GAUGE, HISTOGRAM)) == [
        StoredSample(taken_at=AT, kind="counter", id="smtp.connection-start", value=412),
        StoredSample(taken_at=AT, kind="gauge", id="queue.count", value=17),
        StoredSample(taken_at=AT, kind="histogram", id="delivery.total-time", value=331000, count=96),
    ]


def test_a_renamed_event_has_its_present_name():
    """The tally goes on over an upgrade to v0.16."""
    (sample,) = parse_stored_metrics(body(COUNTER | {"id": "queue.queue-message-authenticated"}))

    assert sample.id == "queue.authenticated-message-queued"


def test_equal_samples_of_cluster_nodes_are_all_kept():
    """They are told apart by nothing, and add up."""
    assert len(parse_stored_metrics(body(COUNTER, COUNTER, COUNTER | {"value": 3}))) == 3


def test_what_we_do_not_know_is_skipped():
    """A kind or an id of a release to come, and a gauge counted below zero."""
    strange = [
        COUNTER | {"type": "summary"},
        COUNTER | {"id": "quantum.entangled"},
        GAUGE | {"id": "smtp.connection-start"},
        GAUGE | {"value": 2**64 - 1},
        COUNTER | {"id": "delivery.connect"},
    ]

    assert [s.id for s in parse_stored_metrics(body(*strange, HISTOGRAM | {"new": 1}))] == ["delivery.total-time"]


def test_times_are_utc_and_whole_seconds():
    """An offset or a fraction is understood."""
    for spelled in ("2026-01-15T12:00:00+02:00", "2026-01-15T10:00:00.750Z"):
        (sample,) = parse_stored_metrics(body(COUNTER | {"timestamp": spelled}))
        assert sample.taken_at == AT
        assert sample.taken_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        ({k: v for k, v in COUNTER.items() if k != "value"}, "data[1].value"),
        (COUNTER | {"value": "412"}, "data[1].value"),
        (COUNTER | {"value": -1}, "data[1].value"),
        (COUNTER | {"timestamp": "yesterday"}, "data[1].timestamp"),
        (COUNTER | {"timestamp": "2026-01-15T10:00:00"}, "data[1].timestamp"),
        (COUNTER | {"timestamp": "0001-01-01T00:00:00+23:00"}, "data[1].timestamp"),
        (COUNTER | {"id": 7}, "data[1].id"),
        ({k: v for k, v in HISTOGRAM.items() if k != "sum"}, "data[1].sum"),
        (HISTOGRAM | {"count": None}, "data[1].count"),
        ([], "data[1]"),
    ],
)
def test_what_is_mistyped_is_refused_with_its_path(sample: Any, path: str):
    """One unreadable sample makes the answer unreadable: a hole must not look like a zero."""
    with pytest.raises(PayloadError, match=f"^{path}:".replace("[", r"\[").replace("]", r"\]")):
        parse_stored_metrics(body(COUNTER, sample))


@given(st.data())
def test_a_damaged_answer_is_read_or_refused(data: st.DataObject):
    """Any cut, and any byte changed, gives samples or `PayloadError`."""
    whole = bytearray(body(COUNTER, GAUGE, HISTOGRAM))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])

    try:
        samples = parse_stored_metrics(cut)
    except PayloadError:
        return
    assert all(sample.taken_at.tzinfo is UTC and sample.value >= 0 for sample in samples)
