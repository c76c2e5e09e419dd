"""The same hour on a server of v0.16: whatever happens to the stream, what is counted is what was done."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.rigs.counting import Play, StoredSide, Trouble
from tests.support.worlds.hour import HOUR, QUIET_SECONDS, START, Hour, began, scripted
from tests.support.worlds.jmap_hour import JmapSide, jmap_scripted

SHORT = 420
"""Long enough for attempts of five minutes to begin and end, short enough to be played hundreds of times."""

TROUBLES = st.lists(
    st.builds(
        Trouble,
        begins=st.integers(QUIET_SECONDS, SHORT + 300),
        seconds=st.one_of(st.integers(1, 3), st.integers(4, 60), st.integers(61, 400)),
        kind=st.sampled_from(["cut", "cut", "kill", "dropped", "late"]),
    ),
    max_size=12,
)
CUTS = st.lists(
    st.builds(Trouble, begins=st.integers(QUIET_SECONDS, SHORT + 300), seconds=st.just(1), kind=st.just("cut")),
    min_size=10,
    max_size=60,
)

# A stream that came back amid an attempt and told why it was put off, then a kill before its trace was listed.
KILLED_BEFORE_THE_TRACE = [Trouble(3, 292, "cut"), Trouble(620, 400, "kill")]

# Each second of five minutes a message is not read, and nothing is told in between.
DROPPED_FOR_MINUTES = [Trouble(94, 324, "dropped")]

# Killed again before the stream has told anything.
KILLED_TWICE = [Trouble(42, 301, "cut"), Trouble(169, 266, "kill"), Trouble(436, 3, "kill")]

# The exporter is down from before the last attempt's end until long after it.
DOWN_AT_THE_END = [Trouble(700, 400, "kill"), Trouble(720, 400, "kill")]


def counts(hour: Hour, troubles: Sequence[Trouble] = (), **options: Any) -> StoredSide:
    """Plays *hour* and says how what was counted differs from the truth, if it does; what was asked of storage."""
    with tempfile.TemporaryDirectory() as folder:
        play = Play(hour, Path(folder) / "history.sqlite3", troubles, side=JmapSide, **options)
        deliveries, by_domain, stored = play.result()
    assert deliveries == dict(hour.deliveries)
    assert by_domain == dict(hour.by_domain)
    return stored


def test_it_is_the_same_hour():
    """Both generations do the same with the same mail, so that what holds for one can be compared with the other."""
    rest, jmap = scripted(HOUR), jmap_scripted(HOUR)

    assert jmap.deliveries.keys() == rest.deliveries.keys()
    assert len(jmap.stored) > 500


def test_polling_alone_counts_the_hour():
    """Without a stream the stored traces tell everything."""
    stored = counts(jmap_scripted(HOUR), live=False)

    assert stored.fetched == len(jmap_scripted(HOUR).stored)


def test_the_stream_alone_counts_the_hour_and_leaves_stored_traces_alone():
    """An hour of repetitions is counted once, and no trace is fetched but those of its first seconds."""
    stored = counts(jmap_scripted(HOUR))

    assert stored.fetched <= sum(began(trace.id) < START + 10 for trace in jmap_scripted(HOUR).stored)
    assert stored.asked <= 8


@pytest.mark.parametrize("every", [3, 20, 77])
def test_a_stream_that_is_opened_anew_again_and_again_counts_the_hour(every: int):
    """Attempts that began on one connection and ended on the next are counted once, for the right reason."""
    cuts = [Trouble(second, 1, "cut") for second in range(every, HOUR, every)]

    counts(jmap_scripted(HOUR), cuts)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(CUTS)
def test_tens_of_cuts_change_nothing(cuts: list[Trouble]):
    """Cut at tens of arbitrary seconds, the stream and the stored traces together tell the truth."""
    counts(jmap_scripted(SHORT), cuts)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(troubles=KILLED_BEFORE_THE_TRACE, ahead_seconds=0, listed_after=14, polled_first=True)
@example(troubles=DOWN_AT_THE_END, ahead_seconds=0, listed_after=0, polled_first=False)
@example(troubles=KILLED_TWICE, ahead_seconds=0, listed_after=1, polled_first=False)
@example(troubles=DROPPED_FOR_MINUTES, ahead_seconds=0, listed_after=11, polled_first=False)
@given(TROUBLES, st.integers(-40, 40), st.integers(0, 15), st.booleans())
def test_wherever_the_stream_breaks_each_delivery_is_counted_once(
    troubles: list[Trouble], ahead_seconds: int, listed_after: int, polled_first: bool
):
    """Cuts, kills, drops and delays at any second, clocks apart, traces listed late: nothing is lost or doubled."""
    counts(
        jmap_scripted(SHORT),
        troubles,
        ahead_seconds=ahead_seconds,
        listed_after=listed_after,
        polled_first=polled_first,
    )
