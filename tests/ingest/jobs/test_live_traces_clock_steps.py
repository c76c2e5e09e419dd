"""Whatever clocks say and are set to, ours or the server's, the deliveries counted are those that were made."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.rigs.counting import LiveSide, Play, Trouble
from tests.support.worlds.hour import QUIET_SECONDS, Hour, lived_through, scripted
from tests.support.worlds.jmap_hour import VERSION, JmapHour, JmapSide, jmap_scripted

SHORT = 240
HOUR_SECONDS, DAY_SECONDS = 3600, 86_400
THREE_DAYS = 3 * DAY_SECONDS
APART_SECONDS = 190
"""A poll and the longest trouble: of a time that came and went between two looks nothing can be known."""

REST = "0.15.5"

SKEWS = st.one_of(st.sampled_from([0, 3 * HOUR_SECONDS, -3 * HOUR_SECONDS]), st.integers(-THREE_DAYS, THREE_DAYS))
STEPS = st.lists(
    st.tuples(
        st.integers(QUIET_SECONDS, SHORT + 200),
        st.one_of(st.sampled_from([DAY_SECONDS, -DAY_SECONDS]), st.integers(-THREE_DAYS, THREE_DAYS)),
    ),
    max_size=3,
).filter(lambda steps: all(b - a > APART_SECONDS for (a, _), (b, _) in pairwise(sorted(steps))))
TROUBLES = st.lists(
    st.builds(
        Trouble,
        begins=st.integers(QUIET_SECONDS, SHORT + 200),
        seconds=st.one_of(st.integers(1, 3), st.integers(4, 120)),
        kind=st.sampled_from(["cut", "kill"]),
    ),
    max_size=4,
)


def check(hour: Hour, troubles: Sequence[Trouble] = (), **options: Any) -> None:
    """Plays *hour*; what was counted is what was done."""
    side = JmapSide if isinstance(hour, JmapHour) else LiveSide
    with tempfile.TemporaryDirectory() as folder:
        deliveries, by_domain, _ = Play(hour, Path(folder) / "history.sqlite3", troubles, side=side, **options).result()
    assert deliveries == dict(hour.deliveries)
    assert by_domain == dict(hour.by_domain)


def stepping(generation: str, steps: Sequence[tuple[int, int]]) -> Hour:
    """A short hour of a server whose clock is set at *steps*."""
    if not steps:
        return jmap_scripted(SHORT) if generation == "jmap" else scripted(SHORT)
    in_order = tuple(sorted(steps))
    if generation == "jmap":
        return lived_through(JmapHour(SHORT, steps=in_order), version=VERSION, seed=7)
    return lived_through(Hour(SHORT, steps=in_order), version=REST, seed=7)


@pytest.mark.parametrize("drops_bounds", [True, False])
@pytest.mark.parametrize("generation", ["rest", "jmap"])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("ahead_hours", [3, -3, 72, -72])
def test_a_skewed_server_is_counted_exactly(generation: str, ahead_hours: int, live: bool, drops_bounds: bool):
    """A bound in the server's future excludes everything or nothing; either way each delivery counts once."""
    hour = stepping(generation, ())

    check(hour, live=live, ahead_seconds=ahead_hours * HOUR_SECONDS, drops_bounds=drops_bounds)


@pytest.mark.parametrize("generation", ["rest", "jmap"])
@pytest.mark.parametrize("live", [True, False])
def test_our_clock_jumps_by_a_day_and_back(generation: str, live: bool):
    """What was counted before is not counted again, and what comes afterwards is counted."""
    check(stepping(generation, ()), live=live, ours_set=[(60, DAY_SECONDS), (150, -DAY_SECONDS)])


@pytest.mark.parametrize("generation", ["rest", "jmap"])
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("by", [DAY_SECONDS, -DAY_SECONDS])
def test_the_servers_clock_jumps_by_a_day_and_back(generation: str, live: bool, by: int):
    """Attempts that begin at one time and end at the other count once, like all others."""
    check(stepping(generation, [(60, by), (150, -by)]), live=live)


@pytest.mark.parametrize("generation", ["rest", "jmap"])
def test_a_deferral_that_waits_over_a_restart_counts_once(generation: str):
    """The exporter is killed while it waits, and its trace is read before the stream is connected again."""
    check(stepping(generation, ()), [Trouble(198, 1, "kill"), Trouble(198, 42, "cut")])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    generation=st.sampled_from(["rest", "jmap"]),
    steps=STEPS,
    ours=STEPS,
    ahead_seconds=SKEWS,
    troubles=TROUBLES,
    live=st.booleans(),
    drops_bounds=st.booleans(),
)
def test_whatever_clocks_are_set_to_each_delivery_is_counted_once(
    generation: str,
    steps: list[tuple[int, int]],
    ours: list[tuple[int, int]],
    ahead_seconds: int,
    troubles: list[Trouble],
    live: bool,
    drops_bounds: bool,
):
    """Either clock days off and set at any moment, the stream cut, the exporter killed: nothing is lost or doubled."""
    check(
        stepping(generation, steps),
        troubles,
        live=live,
        ahead_seconds=ahead_seconds,
        ours_set=sorted(ours),
        drops_bounds=drops_bounds,
    )
