"""Whatever happens to the stream, the deliveries counted at the end are those that were made."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.rigs.counting import Play, StoredSide, Trouble
from tests.support.worlds.hour import HOUR, QUIET_SECONDS, START, Hour, began, scripted

SHORT = 420
"""Long enough for attempts of five minutes to begin and end, short enough to be played hundreds of times."""

TROUBLES = st.lists(
    st.builds(
        Trouble,
        begins=st.integers(QUIET_SECONDS, SHORT + 300),
        seconds=st.one_of(st.integers(1, 3), st.integers(4, 60), st.integers(61, 400)),
        kind=st.sampled_from(["cut", "kill", "dropped", "late"]),
    ),
    max_size=12,
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
        deliveries, by_domain, stored = Play(hour, Path(folder) / "history.sqlite3", troubles, **options).result()
    assert deliveries == dict(hour.deliveries)
    assert by_domain == dict(hour.by_domain)
    return stored


def test_the_hour_has_everything_in_it():
    """All three outcomes happen often, and attempts last from nothing to minutes."""
    hour = scripted()
    totals = Counter({outcome: 0 for outcome, *_ in hour.deliveries})
    for (outcome, *_), count in hour.deliveries.items():
        totals[outcome] += count

    lasted = [trace.at - began(trace.id) for trace in hour.stored]

    assert len(totals) == 3
    assert min(totals.values()) > 50
    assert min(lasted) < 2
    assert max(lasted) > 200


def test_polling_alone_counts_the_hour():
    """Without a stream the stored traces tell everything."""
    stored = counts(scripted(), live=False)

    assert stored.fetched == len(scripted().stored)


def test_the_stream_alone_counts_the_hour_and_leaves_stored_traces_alone():
    """While the stream is up no trace is fetched but those of its first seconds, and soon none is asked for."""
    stored = counts(scripted())

    assert stored.fetched <= sum(began(trace.id) < START + 10 for trace in scripted().stored)
    assert stored.asked <= 8


@pytest.mark.parametrize("every", [3, 7, 30])
def test_a_stream_that_is_cut_every_few_seconds_counts_the_hour(every: int):
    """A stream that never holds is as good as one that does."""
    cuts = [Trouble(second, 1, "cut") for second in range(every, HOUR, every)]

    counts(scripted(), cuts)


def test_the_gap_after_a_cut_is_filled_with_the_traces_of_the_missing_time():
    """One cut of ten seconds in an hour costs the traces around it and not those of the hour."""
    stored = counts(scripted(), [Trouble(HOUR // 2, 10, "cut")])

    assert stored.fetched < len(scripted().stored) / 10


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(troubles=KILLED_BEFORE_THE_TRACE, ahead_seconds=0, listed_after=14, version="0.15.5", polled_first=True)
@example(troubles=DOWN_AT_THE_END, ahead_seconds=0, listed_after=0, version="0.15.5", polled_first=False)
@example(troubles=KILLED_TWICE, ahead_seconds=0, listed_after=1, version="0.15.5", polled_first=False)
@example(troubles=DROPPED_FOR_MINUTES, ahead_seconds=0, listed_after=11, version="0.15.5", polled_first=False)
@given(TROUBLES, st.integers(-40, 40), st.integers(0, 15), st.sampled_from(["0.15.5", "0.12.5"]), st.booleans())
def test_wherever_the_stream_breaks_each_delivery_is_counted_once(
    troubles: list[Trouble], ahead_seconds: int, listed_after: int, version: str, polled_first: bool
):
    """Cuts, kills, drops and delays at any second, clocks apart, traces listed late: nothing is lost or doubled."""
    counts(
        scripted(SHORT, version=version),
        troubles,
        ahead_seconds=ahead_seconds,
        listed_after=listed_after,
        polled_first=polled_first,
    )
