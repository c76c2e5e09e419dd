"""Steps as series: nothing is invented, nothing is counted twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.store.steps.steps import Step
from exporter.web.pages.servers.series import Series

LENGTH = 300


def series(*steps: Step, now: int) -> Series:
    return Series(steps, now, LENGTH)


def test_a_gauge_has_gaps_where_nothing_is_known():
    """A missing step and an unknown queue are both unknown; the largest value stands for several steps."""
    found = series(
        Step(at=300, messages=7), Step(at=600), Step(at=1200, messages=2), Step(at=1500, messages=9), now=1550
    )

    assert found.gauge(lambda step: step.messages, number=6) == [None, 7, None, None, 2, 9]
    assert found.gauge(lambda step: step.messages, number=3, every=2) == [7, None, 9]


def test_increases_are_those_between_neighbours():
    """The first step has no predecessor, so its increase is not known; a counter that went back counts as zero."""
    steps = [Step(at=n * LENGTH, delivered=total) for n, total in ((1, 10), (2, 15), (3, 40), (4, 1), (5, 2))]

    found = series(*steps, now=5 * LENGTH).increases([lambda step: step.delivered], number=5, every=1)

    assert [period.values for period in found.periods] == [(None,), (5,), (25,), (0,), (1,)]
    assert found.sums == [31]


def test_what_was_counted_after_an_interruption_is_in_the_sum_alone():
    """The time without the exporter has no columns, and the hour after it no tower."""
    steps = [Step(at=n * LENGTH, delivered=total) for n, total in ((1, 0), (2, 10), (9, 5000), (10, 5010))]

    found = series(*steps, now=10 * LENGTH).increases([lambda step: step.delivered], number=10, every=1)

    assert [period.values[0] for period in found.periods if period.is_known] == [10, 10]
    assert found.sums == [5010]


def test_an_unknown_counter_is_not_zero():
    """A server that does not report failed logins has none to show."""
    steps = [Step(at=n * LENGTH) for n in range(1, 5)]

    found = series(*steps, now=4 * LENGTH).increases([lambda step: step.logins_failed], number=2, every=2)

    assert found.sums == [None]
    assert not any(period.is_known for period in found.periods)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=60), st.integers(1, 6), st.integers(1, 12))
def test_the_columns_add_up(increments: list[int], every: int, number: int):
    """Without an interruption the periods hold exactly what was counted within their time."""
    totals = [sum(increments[: n + 1]) for n in range(len(increments))]
    steps = [Step(at=(n + 1) * LENGTH, delivered=total) for n, total in enumerate(totals)]

    found = series(*steps, now=len(steps) * LENGTH + 17).increases(
        [lambda step: step.delivered], number=number, every=every
    )

    within = increments[1:][-number * every :]
    assert sum(period.values[0] or 0 for period in found.periods) == sum(within) == (found.sums[0] or 0)
    assert len(found.periods) == number
