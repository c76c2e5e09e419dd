"""What a stored total adds: what it has grown by, per series, process and node."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.counting.stored_totals import (
    MAX_SERIES,
    Total,
    increases,
    last_totals,
    totals_from_state,
    totals_to_state,
)
from exporter.model.telemetry import TotalSeries
from tests.support.builders.stored_totals import METRICS, NOON, added, total


def test_a_total_adds_what_it_has_grown_by():
    """The first of a series only shows where counting begins."""
    _, samples = increases({}, [total(hour, count) for hour, count in enumerate((100, 120, 125))])

    assert [(sample.taken_at, sample.count, sample.value, sample.node) for sample in samples] == [
        (NOON + timedelta(hours=1), 20, 200, None),
        (NOON + timedelta(hours=2), 5, 50, None),
    ]


def test_a_restart_of_the_server_counts_from_zero():
    """One total that has not grown shows it for all of its node, those that are written later too."""
    written = [
        *(total(hour, 50 + hour) for hour in range(2)),
        *(total(hour, 10 + hour, metric=METRICS[1]) for hour in range(2)),
        total(0, 7, metric="dns.lookup-time"),
        total(0, 3, node=2),
        total(2, 5),
        total(2, 25, metric=METRICS[1]),
        total(3, 9, metric="dns.lookup-time"),
        total(3, 4, node=2),
    ]

    assert added(*written) == [1, 1, 5, 25, 9, 1]


def test_a_total_that_is_the_same_again_is_another_process():
    """One is written only when something was added."""
    assert added(total(0, 3), total(1, 3)) == [3]


def test_each_node_of_a_cluster_has_its_own_totals():
    """A restart of one does not concern the other."""
    first = [total(hour, count, node=1) for hour, count in enumerate((100, 110, 5))]
    second = [total(hour, count, node=2) for hour, count in enumerate((10, 30, 31))]

    assert added(*sorted([*first, *second], key=lambda one: one.taken_at)) == [10, 20, 5, 1]


GROWTH = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=12)


@given(growth=GROWTH, cuts=st.lists(st.integers(0, 12), max_size=4))
def test_what_is_added_adds_up_however_it_is_read(growth: list[tuple[int, bool]], cuts: list[int]):
    """In one go or in parts, over restarts of the server that show and over ours: the sum is what has happened."""
    written, count, happened = [], 0, 0
    for hour, (grown, restarts) in enumerate(growth):
        count = grown if restarts and 0 < grown <= count else count + grown
        happened += grown
        written += [total(hour, count)] if grown else []
    places = sorted({0, len(written), *(cut for cut in cuts if cut < len(written))})
    state: Any = [[0, METRICS[0], 0, 0]]

    counted = 0
    for start, end in pairwise(places):
        totals, samples = increases(totals_from_state(state), written[start:end])
        counted += sum(sample.count for sample in samples)
        state = totals_to_state(totals)

    assert counted == happened


def test_of_very_many_series_the_longest_silent_are_forgotten():
    """The watermark does not grow with node ids that come and go."""
    totals = last_totals([total(0, 1, node=node) for node in range(MAX_SERIES + 10)])
    totals, _ = increases(totals, [total(1, 2, node=3)])

    kept = totals_from_state(totals_to_state(totals))

    assert len(kept) == MAX_SERIES
    assert kept[TotalSeries(3, METRICS[0])] == Total(2, 20)
    assert TotalSeries(4, METRICS[0]) not in kept
