"""Multisets near the watermark."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.counting.dedup_window import RecentMultiset

WINDOW = 2


def test_two_equal_things_in_one_second_count_twice():
    """Equal lines of one second are as many as there are."""
    recent = RecentMultiset(WINDOW)

    assert recent.take_new([(10, 1), (10, 1)]) == [0, 1]
    assert recent.take_new([(10, 1), (10, 1), (10, 1)]) == [2]


def test_what_is_older_than_the_window_is_counted():
    """Old things are not looked at again, new ones at the watermark's own second are."""
    recent = RecentMultiset(WINDOW)
    recent.take_new([(10, 1)])

    assert recent.take_new([(7, 5), (10, 1), (10, 2)]) == [2]


def test_vanished_things_do_not_make_others_new():
    """A rotation that takes away what was counted changes nothing."""
    recent = RecentMultiset(WINDOW)
    recent.take_new([(10, 1), (10, 2)])

    assert recent.take_new([(10, 2), (11, 3)]) == [1]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=60),
    st.lists(st.integers(0, 60), max_size=10),
    st.booleans(),
)
def test_however_often_it_is_read_everything_is_counted_once(gaps, reads, through_json):
    """A growing log, read at any points, the state kept as JSON in between: each line once."""
    at, things = 100, []
    for gap, mark in gaps:
        at += gap
        things.append((at, mark))
    recent = RecentMultiset(WINDOW)
    counted: Counter[tuple[int, int]] = Counter()

    for end in [*sorted(reads), len(things)]:
        visible = things[:end]
        counted.update(visible[index] for index in recent.take_new(visible))
        if through_json:
            recent = RecentMultiset.from_state(WINDOW, json.loads(json.dumps(recent.to_state())))

    assert counted == Counter(things)


@given(st.permutations(range(8)), st.integers(0, 8))
def test_things_slightly_out_of_order_are_not_missed(order, cut):
    """A line that comes late by less than the window is still counted."""
    things = [(100 + index // 4, index) for index in order]
    recent = RecentMultiset(WINDOW)

    counted = [things[i] for i in recent.take_new(things[:cut])] + [things[i] for i in recent.take_new(things)]

    assert sorted(counted) == sorted(things)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=1, max_size=60),
    st.lists(st.integers(1, 59), max_size=6),
    st.integers(0, 60),
)
def test_however_it_is_cut_a_look_finds_what_one_answer_shows(gaps, cuts, counted):
    """In parts or at once: the same things are new, now and in the next look."""
    at, things = 100, []
    for gap, mark in gaps:
        at += gap
        things.append((at, mark))
    whole, parts = RecentMultiset(WINDOW), RecentMultiset(WINDOW)
    whole.take_new(things[:counted])
    parts.take_new(things[:counted])

    looking = parts.look()
    bounds = [0, *sorted(cuts), len(things)]
    found = [
        item
        for start, end in pairwise(bounds)
        for part in [things[start:end]]
        for item in (part[index] for index in looking.take_new(part))
    ]
    looking.finish()

    assert Counter(found) == Counter(things[index] for index in whole.take_new(things))
    assert Counter(map(tuple, parts.to_state()["counted"])) == Counter(map(tuple, whole.to_state()["counted"]))


def test_after_the_clock_was_set_back_what_began_since_counts():
    """What lies beyond the old watermark and was not counted is late, not old."""
    recent = RecentMultiset(WINDOW)
    recent.take_new([(90_000, 1), (90_001, 2)])

    new = recent.take_set_back([(5000, 3), (90_000, 1), (90_001, 2), (90_001, 4)], since=4990, latest=5060)

    assert new == [0, 3]
    assert recent.take_new([(5000, 3), (5001, 5), (90_000, 1), (90_001, 2), (90_001, 4)], latest=5061) == [1]


def test_what_cannot_be_told_from_the_first_pass_is_left_out():
    """Where things of about the same time are listed, those of the last moment may be old ones too."""
    recent = RecentMultiset(WINDOW)
    recent.take_new([(90_000, 1)])

    assert recent.take_set_back([(4000, 9), (5000, 3), (90_000, 1)], since=4990, latest=5060) == []
    assert recent.ambiguous == 1
    assert recent.take_new([(5000, 3), (5001, 5), (90_000, 1)], latest=5061) == [1]


@pytest.mark.parametrize("through_json", [False, True])
def test_what_was_counted_before_a_jump_ahead_is_known_when_the_clock_returns(through_json: bool):
    """A clock set ahead and soon back again makes nothing of before the jump new."""
    recent = RecentMultiset(WINDOW)
    recent.take_new([(5000, 1), (5001, 2)])
    recent.take_new([(5000, 1), (5001, 2), (5002, 3), (90_000, 4)])
    if through_json:
        recent = RecentMultiset.from_state(WINDOW, json.loads(json.dumps(recent.to_state())))

    listed = [(5000, 1), (5001, 2), (5002, 3), (5004, 5), (90_000, 4)]

    assert recent.take_set_back(listed, since=4999, latest=5064) == [3]
    assert recent.ambiguous == 0


def test_a_clock_that_returns_behind_what_is_remembered_makes_nothing_new():
    """What was counted longer before the jump than is remembered may be what is listed."""
    recent = RecentMultiset(WINDOW)
    recent.take_new([(4000, 1), (5000, 2)])
    recent.take_new([(4000, 1), (5000, 2), (90_000, 3)])

    assert recent.take_set_back([(4000, 1), (5000, 2), (90_000, 3)], since=3990, latest=4060) == []
    assert recent.ambiguous == 1
