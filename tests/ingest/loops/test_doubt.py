"""When a refusal is believed, and how few are provoked until then."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.loops.doubt import CONFIRM_SECONDS, Doubt
from tests.support.virtual_time import HandClock

MAX_PROVOKED = 3


def provoked(clock: HandClock, doubt: Doubt, *, soon: float = CONFIRM_SECONDS, took: float = 0.0) -> int:
    """How many refusals it takes until they are believed, with the waits that the doubt asks for."""
    for number in range(1, 100):
        clock.seconds += took
        if doubt.refused():
            return number
        clock.seconds += doubt.wait_seconds(soon=soon)
    raise AssertionError("never believed")


def test_a_refusal_is_looked_at_again_after_a_minute():
    """One alone is not believed, however often the question is asked."""
    clock = HandClock()
    doubt = Doubt(clock)

    assert not doubt.refused()
    assert doubt.begun
    assert doubt.wait_seconds() == CONFIRM_SECONDS

    clock.seconds += CONFIRM_SECONDS
    assert not doubt.confirmed
    assert doubt.refused()
    assert not doubt.begun


def test_refusals_in_haste_confirm_nothing():
    """A burst of them, as of a proxy in a rollout, is as good as one."""
    clock = HandClock()
    doubt = Doubt(clock)

    for _ in range(50):
        assert not doubt.refused()
        clock.seconds += 1.0

    assert doubt.wait_seconds() == pytest.approx(10.0)


def test_what_the_server_says_itself_is_believed_at_once():
    """A document of its API needs no second look, and a status alone after it does."""
    clock = HandClock()
    doubt = Doubt(clock)

    assert doubt.refused(certain=True)
    assert doubt.confirmed
    assert not doubt.refused()


def test_a_success_in_between_begins_anew():
    """Servers of two kinds behind one name refuse in turns; that confirms nothing."""
    clock = HandClock()
    doubt = Doubt(clock)
    doubt.refused()
    clock.seconds += 2 * CONFIRM_SECONDS

    doubt.clear()

    assert not doubt.confirmed
    assert not doubt.refused()
    assert doubt.wait_seconds() == CONFIRM_SECONDS


def test_a_second_look_may_come_sooner_once():
    """What worked before is asked for at its own pace once, and then at the minute."""
    clock = HandClock()
    doubt = Doubt(clock)

    doubt.refused()
    assert doubt.wait_seconds(soon=20.0) == 20.0

    clock.seconds += 20.0
    doubt.refused()
    assert doubt.wait_seconds(soon=20.0) == 40.0


def test_an_hour_later_one_refusal_is_enough():
    """What was believed is asked for once per hour, and not twice."""
    clock = HandClock()
    doubt = Doubt(clock)
    provoked(clock, doubt)

    clock.seconds += 3600.0

    assert doubt.refused()


@given(st.floats(0, 1e7), st.floats(0.1, 3600), st.floats(0, 30), st.floats(0, 0.01))
def test_at_most_three_refusals_are_provoked(start: float, soon: float, took: float, early: float):
    """Whatever the interval, the time of a request and the roundness of its timers."""
    clock = HandClock()
    clock.seconds = start
    doubt = Doubt(clock)

    refusals = 0
    while True:
        clock.seconds += took
        refusals += 1
        if doubt.refused():
            break
        clock.seconds += max(0.0, doubt.wait_seconds(soon=soon) - early)
        assert refusals < MAX_PROVOKED

    assert clock.seconds - start >= CONFIRM_SECONDS - 1


def test_two_are_enough_where_nothing_worked_before():
    """Without a sooner look the second refusal confirms."""
    clock = HandClock()

    assert provoked(clock, Doubt(clock)) == 2
