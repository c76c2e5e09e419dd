"""Labels held to a number of series."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.queue import OTHER_DOMAIN
from exporter.state.capped import KEEP_SECONDS, RETIRED_FACTOR, CappedLabel
from exporter.state.tally import TallyBook

DAY = KEEP_SECONDS


def test_the_first_get_a_series_and_the_rest_goes_to_other():
    """Within a day nobody loses the series they got."""
    capped = CappedLabel(2, now=0.0)

    labels = [capped.label(domain, 1.0) for domain in ("a", "b", "c", "a", "c")]

    assert labels == ["a", "b", OTHER_DOMAIN, "a", OTHER_DOMAIN]
    assert capped.dropped == 2


def test_one_that_stays_silent_makes_room():
    """After a day of silence the place goes to the next newcomer, and the silent one's own count stays with it."""
    capped = CappedLabel(2, now=0.0)
    capped.label("a", 0.0)
    capped.label("b", 0.0)

    capped.label("b", DAY)

    assert capped.label("c", DAY + 1) == "c"
    assert capped.label("d", DAY + 2) == OTHER_DOMAIN
    assert capped.label("a", DAY + 3) == "a"


def test_zero_turns_the_label_off():
    """With a cap of zero everything is other."""
    assert CappedLabel(0, now=0.0).label("a", 0.0) == OTHER_DOMAIN


def test_known_series_are_kept_over_a_restart():
    """What had a series before has it again, whatever came first after the restart."""
    capped = CappedLabel(2, ["a", "b", "c"], now=0.0)

    assert [capped.label(domain, 1.0) for domain in ("d", "c", "a")] == [OTHER_DOMAIN, "c", "a"]


@given(st.lists(st.tuples(st.integers(0, 40), st.floats(0, 2 * DAY)), max_size=200), st.integers(1, 3))
def test_no_series_falls_and_none_takes_from_another(steps, cap):
    """Every increment raises one series by one; the number of series is bounded; a sum over them never falls."""
    capped, book, now = CappedLabel(cap, now=0.0), TallyBook(), 0.0
    for number, (domain, wait) in enumerate(steps, 1):
        now += wait
        before = dict(book.family("d"))

        book.apply({("d", (capped.label(f"d{domain}", now),)): 1})

        after = book.family("d")
        assert all(after[labels] >= count for labels, count in before.items())
        assert sum(after.values()) == number
        assert len(after) <= cap * (1 + RETIRED_FACTOR) + 1
