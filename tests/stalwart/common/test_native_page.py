"""The server's own Prometheus page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.telemetry import HistogramTotals, ServerTotals
from exporter.stalwart.common.native_page import parse_native_page
from tests.support.paths import RECORDINGS

PAGES = sorted(RECORDINGS.glob("*/native.txt"))
BOUNDS = (1000, 30000, 300000)


def histogram(buckets: Sequence[int], *, sum_: int, count: int, last: str = "inf") -> HistogramTotals:
    bounds = [*map(str, BOUNDS), last]
    lines = ["# HELP delivery_total_time x", "# TYPE delivery_total_time histogram"]
    lines += [f'delivery_total_time_bucket{{le="{b}"}} {n}' for b, n in zip(bounds, buckets, strict=False)]
    lines += [f"delivery_total_time_sum {sum_}", f"delivery_total_time_count {count}", ""]
    return parse_native_page("\n".join(lines).encode()).histograms["delivery.total-time"]


def page(*lines: str) -> ServerTotals:
    return parse_native_page("\n".join([*lines, ""]).encode())


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.parent.name)
def test_recorded_pages_say_what_an_independent_reader_found(path: Path):
    """Counters by present name, and histograms whose buckets add up."""
    facts = json.loads((path.parent / "facts.json").read_text())
    counters = {f["labels"]["event"]: f["value"] for f in facts if f["name"] == "stalwart_events_total"}
    families = {
        "delivery.total-time": "stalwart_delivery_duration_seconds",
        "delivery.attempt-time": "stalwart_delivery_attempt_duration_seconds",
    }

    totals = parse_native_page(path.read_bytes())

    assert totals.counters == counters
    assert totals.unknown == {}
    for id_, family in families.items():
        by_name = {f["name"]: f["value"] for f in facts if f["name"].startswith(family) and not f["labels"]}
        cumulated = [f["value"] for f in facts if f["name"] == f"{family}_bucket"]
        found = totals.histograms[id_]
        assert (found.count, found.sum / 1000) == (by_name[f"{family}_count"], by_name[f"{family}_sum"])
        assert [sum(found.counts[: n + 1]) for n in range(len(found.counts))] == cumulated
        assert sum(found.counts) == found.count


def test_gauges_are_readings_and_underflows_are_left_out():
    """2**64 - 1 connections is a count below zero."""
    totals = page(
        "# TYPE server_memory gauge",
        "server_memory 74559488",
        "# TYPE queue_count gauge",
        "queue_count 18446744073709551615",
        "# TYPE smtp_active_connections gauge",
        "smtp_active_connections 18446744073709552000",
        "# TYPE user_count gauge",
        "user_count 0",
    )

    assert totals.gauges == {"server.memory": 74559488, "user.count": 0}


def test_whole_numbers_are_exact_and_others_tolerated():
    """A counter past 2**53 keeps its last digit."""
    assert page("# TYPE auth_failed counter", "auth_failed 9007199254740993").counters["auth.failed"] == 2**53 + 1
    assert page("# TYPE auth_failed counter", "auth_failed 1e3").counters["auth.failed"] == 1000
    assert page("# TYPE auth_failed counter", "auth_failed 12.0").counters["auth.failed"] == 12


def test_unknown_names_are_left_out_and_counted():
    """A newer release's metric, an event that is no counter, a known name of another kind, a label."""
    totals = page(
        "# TYPE quantum_entangled counter",
        "quantum_entangled 1",
        "# TYPE delivery_connect counter",
        "delivery_connect 4",
        "# TYPE queue_count counter",
        "queue_count 4",
        "# TYPE auth_success counter",
        'auth_success{node="1"} 4',
        "# TYPE auth_failed counter",
        "auth_failed 5",
    )

    assert totals.counters == {"auth.failed": 5}
    assert totals.gauges == {}
    assert totals.unknown == {"native_metric": 4}


def test_buckets_that_hold_their_own_counts_stay_as_they_are():
    """What every release sends, with its own name for infinity."""
    found = histogram([24, 1, 2, 3], sum_=265000, count=30)

    assert found == HistogramTotals(sum=265000, count=30, bounds=BOUNDS, counts=(24, 1, 2, 3))


def test_correct_buckets_are_recognised():
    """Should a release send them cumulated, nothing is cumulated twice."""
    found = histogram([24, 25, 27, 30], sum_=265000, count=30, last="+Inf")

    assert found.counts == (24, 1, 2, 3)
    assert found.count == 30
    assert histogram([1, 2, 2, 2], sum_=7, count=2, last="+Inf").counts == (1, 1, 0, 0)


@pytest.mark.parametrize("count", [28, 29, 31, 32])
def test_a_torn_reading_keeps_its_buckets(count: int):
    """Observations made while the page was written; the count follows the buckets."""
    assert histogram([24, 1, 2, 3], sum_=265000, count=count).counts == (24, 1, 2, 3)
    assert histogram([24, 1, 2, 3], sum_=265000, count=count).count == 30
    assert histogram([240, 250, 270, 300], sum_=265000, count=270 + count).counts == (240, 10, 20, 30)


def test_buckets_of_sums_are_dropped():
    """Up to v0.11.1 each bucket holds the sum of its values: sum and count are all there is."""
    found = histogram([9000, 40000, 0, 216000], sum_=265000, count=30)

    assert found == HistogramTotals(sum=265000, count=30)
    assert histogram([3, 0, 0, 2], sum_=5, count=7).counts == ()


def test_buckets_that_make_no_sense_are_dropped():
    """Bounds out of order, no last bucket, or numbers that fit nothing."""
    assert histogram([900, 4, 7, 2], sum_=5_000_000, count=30).counts == ()
    assert histogram([24, 1, 5], sum_=265000, count=30).counts == ()
    disordered = page(
        "# TYPE message_size histogram",
        'message_size_bucket{le="1000"} 1',
        'message_size_bucket{le="500"} 1',
        'message_size_bucket{le="inf"} 1',
        "message_size_sum 9",
        "message_size_count 3",
    )
    assert disordered.histograms["message.size"] == HistogramTotals(sum=9, count=3)


@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=4), st.integers(10**8, 10**12))
def test_either_form_of_buckets_means_the_same(counts: list[int], sum_: int):
    """Own counts and cumulated ones lead to one histogram."""
    cumulated = [sum(counts[: n + 1]) for n in range(4)]

    assert histogram(counts, sum_=sum_, count=sum(counts)).counts == tuple(counts)
    assert histogram(cumulated, sum_=sum_, count=sum(counts), last="+Inf").counts == tuple(counts)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", 1),
        (b"\n", 1),
        (b"<!DOCTYPE html>\n<html></html>\n", 1),
        (b'{"type":"about:blank","status":404}', 1),
        (b"# HELP auth_failed Authentication failed\n", 1),
        (b"# TYPE auth_failed counter\nauth_failed 5\n# TYPE auth_suc", 3),
        (b"# TYPE auth_failed counter\nauth_failed 5\n# TYPE auth_success counter\n", 3),
        (b"# TYPE auth_failed counter\nauth_failed\n", 2),
        (b"# TYPE auth_failed counter\nauth_failed NaN\n", 2),
        (b"# TYPE auth_failed counter\nauth_failed -1\n", 2),
        (b"# TYPE auth_failed counter\nauth_failed 1e999\n", 2),
        (b"# TYPE auth_failed counter\nauth_failed 1\nauth_failed 2\n", 3),
        (b"# TYPE auth_failed\n", 1),
        (b"# TYPE auth_failed counter\nauth_failed 1 \xff\n", 2),
        (b'# TYPE message_size histogram\nmessage_size_bucket{le="inf"} 0\nmessage_size_sum 0\n', 3),
        (b"# TYPE message_size histogram\nmessage_size_sum 0\n# TYPE auth_failed counter\nauth_failed 1\n", 3),
        (b'# TYPE message_size histogram\nmessage_size_bucket{le="x"} 0\n', 2),
        (b"# TYPE message_size histogram\nmessage_size 0\n", 2),
    ],
)
def test_what_is_not_such_a_page_is_refused(body: bytes, line: int):
    """The message names the line."""
    with pytest.raises(PayloadError, match=rf"^line {line}: "):
        parse_native_page(body)


@given(st.data())
def test_a_damaged_page_is_read_or_refused(data: st.DataObject):
    """Any cut, and any byte changed, gives totals or `PayloadError`."""
    body = bytearray(data.draw(st.sampled_from(PAGES)).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(body[: data.draw(st.integers(0, len(body)))])

    try:
        totals = parse_native_page(cut)
    except PayloadError:
        return
    assert all(value >= 0 for value in totals.counters.values())
    assert all(h.counts == () or sum(h.counts) == h.count for h in totals.histograms.values())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes):
    """No input raises anything else."""
    try:
        parse_native_page(body)
    except PayloadError:
        return
    assert body.startswith(b"#") or b"\n#" in body
