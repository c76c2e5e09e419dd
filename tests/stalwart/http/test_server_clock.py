"""The server's clock, learned from what it sends."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stalwart.http.server_clock import STEP_SECONDS, ServerClock
from tests.support.virtual_time import HandClock

NOW = 1_800_000_000
DAY_SECONDS = 86_400


def answer(clock: ServerClock, at: float, **headers: str) -> None:
    """A response that was sent at a time of the server's."""
    clock.learn_date(formatdate(int(at), usegmt=True), asked_at=clock.monotonic(), **headers)


def test_until_the_server_has_shown_its_clock_it_is_ours():
    """There is no skew before the first response."""
    ours = HandClock()
    clock = ServerClock(ours)

    assert clock.now() == ours.now()
    assert clock.skew_seconds is None
    assert clock.known_second() is None


@given(st.floats(-3 * DAY_SECONDS, 3 * DAY_SECONDS), st.lists(st.floats(0.01, 400), min_size=1, max_size=30))
def test_the_skew_is_known_to_the_second(skew: float, pauses: list[float]):
    """Whenever responses come, whole seconds in a header are good for about one."""
    ours = HandClock()
    clock = ServerClock(ours)

    for pause in pauses:
        ours.seconds += pause
        answer(clock, NOW + ours.seconds + skew)

        assert clock.skew_seconds == pytest.approx(skew, abs=1.1)


def test_setting_our_clock_moves_the_skew_and_not_the_servers_time():
    """A jump of ours by a day leaves the server's time alone."""
    ours = HandClock()
    clock = ServerClock(ours)
    answer(clock, NOW)

    ours.set_seconds = DAY_SECONDS

    assert clock.now().timestamp() == pytest.approx(NOW, abs=1)
    assert clock.skew_seconds == pytest.approx(-DAY_SECONDS, abs=1)


def test_a_clock_that_is_set_is_followed_at_once():
    """The next response shows the new time."""
    clock = ServerClock(HandClock())
    answer(clock, NOW)

    answer(clock, NOW - DAY_SECONDS)

    assert clock.skew_seconds == pytest.approx(-DAY_SECONDS, abs=1)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 00:00:00 GMT", "Mon, 01 Jan 1990 00:00:00 GMT"])
def test_a_date_that_cannot_be_read_says_nothing(date: str):
    """Proxies drop the header or write nonsense into it."""
    clock = ServerClock(HandClock())

    clock.learn_date(date, asked_at=0.0)

    assert clock.skew_seconds is None


def test_a_response_from_a_cache_says_nothing():
    """Its date is that of the response that was kept."""
    clock = ServerClock(HandClock())

    answer(clock, NOW - DAY_SECONDS, age="86400")

    assert clock.skew_seconds is None


def test_live_events_outvote_a_proxys_date():
    """Behind a proxy with a clock of its own the server's events show the server's time."""
    clock = ServerClock(HandClock())
    answer(clock, NOW)

    clock.learn_event(NOW + 3 * 3600)
    answer(clock, NOW)

    assert clock.skew_seconds == pytest.approx(3 * 3600, abs=2)


def test_events_that_come_late_say_nothing():
    """A backlog of minutes is no other clock."""
    clock = ServerClock(HandClock())
    answer(clock, NOW)

    clock.learn_event(NOW - 20 * STEP_SECONDS)

    assert clock.skew_seconds == pytest.approx(0, abs=1)


def test_a_listener_hears_of_changes_only():
    """The metrics page is not rebuilt at each response."""
    ours, heard = HandClock(), list[tuple[float, int]]()
    clock = ServerClock(ours)
    clock.subscribe(lambda skew, steps: heard.append((skew, steps)))

    for _ in range(50):
        ours.seconds += 0.5
        answer(clock, NOW + ours.seconds)
    answer(clock, NOW + ours.seconds + DAY_SECONDS)

    assert len(heard) <= 4
    assert heard[-1] == (pytest.approx(DAY_SECONDS, abs=1), 1)
