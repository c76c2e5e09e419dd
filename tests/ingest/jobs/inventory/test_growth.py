"""When the first mailbox is full."""

from __future__ import annotations

import json

import pytest

from exporter.ingest.jobs.inventory.growth import DAY_SECONDS, WINDOW_SECONDS, Growth
from exporter.model.inventory import QuotaUse

HOUR = 3600


def use(account: str, used: int, quota: int = 1_000_000) -> QuotaUse:
    """One account."""
    return QuotaUse(account_id=account, used=used, quota=quota)


def observed(growth: Growth, *, hours: int, start: int = 0, per_hour: int = 1000, first: int = 0) -> float | None:
    """What is said at the end of so many hours of steady growth."""
    said = None
    for hour in range(start, start + hours + 1):
        said = growth.observe([use("a", first + hour * per_hour)], generation="rest", at=hour * HOUR)
    return said


def test_steady_growth_names_the_hour() -> None:
    """A million bytes at a thousand per hour are full after a thousand hours, whenever it is asked."""
    growth = Growth()

    for hours in (24, 100, 400):
        assert observed(Growth(), hours=hours) == pytest.approx(1000 * HOUR)
    assert observed(growth, hours=400) == pytest.approx(1000 * HOUR)


def test_less_than_a_day_says_nothing() -> None:
    """Nor does the first sight."""
    assert observed(Growth(), hours=0) is None
    assert observed(Growth(), hours=23) is None


def test_a_restart_measures_on() -> None:
    """The saved state, through JSON, says what the old one would have said."""
    growth = Growth()
    observed(growth, hours=30)

    restored = Growth.restore(json.loads(json.dumps(growth.state())))

    assert observed(restored, start=31, hours=0) == pytest.approx(1000 * HOUR)


def test_the_pace_is_that_of_the_last_days() -> None:
    """Who stopped growing a fortnight ago is not full some day; who grows faster now is full sooner."""
    growth = Growth()
    observed(growth, hours=200)
    stopped = [
        growth.observe([use("a", 200_000)], generation="rest", at=hour * HOUR) for hour in range(201, 201 + 24 * 8)
    ]
    assert stopped[-1] is None

    faster = Growth()
    observed(faster, hours=200)
    base = 200_000
    for hour in range(201, 201 + 24 * 8):
        base += 4000
        said = faster.observe([use("a", base)], generation="rest", at=hour * HOUR)
    assert said == pytest.approx(hour * HOUR + max(0, 1_000_000 - base) / 4000 * HOUR)


def test_an_emptied_mailbox_begins_anew() -> None:
    """Otherwise it would seem to shrink for a week."""
    growth = Growth()
    observed(growth, hours=100, first=1000)
    assert growth.observe([use("a", 0)], generation="rest", at=101 * HOUR) is None

    said = [growth.observe([use("a", 500 * n)], generation="rest", at=(101 + n) * HOUR) for n in range(1, 48)]

    assert said[-1] == pytest.approx((101 + 2000) * HOUR)


def test_the_first_to_be_full_is_named_and_a_full_one_is_full_now() -> None:
    """An account that does not grow is left out, however full it is."""
    growth = Growth()
    growth.observe([use("a", 10), use("b", 20, 100), use("c", 100, 100)], generation="rest", at=0)

    first = growth.observe([use("a", 20), use("b", 60, 100), use("c", 100, 100)], generation="rest", at=2 * DAY_SECONDS)
    assert first == pytest.approx(4 * DAY_SECONDS)

    now = growth.observe([use("b", 120, 100)], generation="rest", at=3 * DAY_SECONDS)
    assert now == 3 * DAY_SECONDS


def test_ids_of_another_generation_are_other_accounts() -> None:
    """After an upgrade nothing is compared with what the same id used before."""
    growth = Growth()
    growth.observe([use("a", 10)], generation="rest", at=0)

    assert growth.observe([use("a", 900_000)], generation="jmap", at=2 * DAY_SECONDS) is None


def test_a_clock_that_is_set_back_begins_anew() -> None:
    """And later on says the right thing again."""
    growth = Growth()
    observed(growth, start=1000, hours=100)

    assert growth.observe([use("a", 1_000_000)], generation="rest", at=5 * HOUR) is None
    assert growth.observe([use("a", 1_000_024)], generation="rest", at=29 * HOUR) == 29 * HOUR


def test_accounts_that_are_gone_are_forgotten() -> None:
    """The state does not grow."""
    growth = Growth()
    growth.observe([use("a", 1), use("b", 1)], generation="rest", at=0)
    growth.observe([use("b", 2)], generation="rest", at=WINDOW_SECONDS)

    assert list(growth.state()["accounts"]) == ["b"]


@pytest.mark.parametrize(
    "state",
    [{}, {"generation": "rest", "accounts": {"a": [1, 2]}}, {"generation": "rest", "accounts": {"a": [[1], None]}}],
)
def test_a_damaged_state_is_refused(state: dict[str, object]) -> None:
    """With an error that the ledger knows."""
    with pytest.raises((ValueError, TypeError, LookupError)):
        Growth.restore(state)
