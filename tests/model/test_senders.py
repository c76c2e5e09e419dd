"""Which senders are unusual: kinds of attacks are found, and what people do each week is not."""

from __future__ import annotations

import pytest

from exporter.model.senders import (
    DAY_HOURS,
    FLOORS,
    WEEK_HOURS,
    Past,
    SenderHour,
    UnusualReason,
    allowed_in_day,
    allowed_in_hour,
    destinations_of_day,
    findings_of,
)
from exporter.settings import IntervalSettings
from tests.support.builders.senders import NOW, newsletter, office, sent

VOLUME, DESTINATIONS, DAY = UnusualReason.VOLUME, UnusualReason.DESTINATIONS, UnusualReason.DAY
FAILURES, REJECTS, ODD_HOURS = UnusualReason.FAILURES, UnusualReason.REJECTS, UnusualReason.ODD_HOURS
NIGHT = NOW - NOW % DAY_HOURS + DAY_HOURS + 3


def reasons(past: Past, hour: int, now: SenderHour) -> set[UnusualReason]:
    """What is unusual about a sender that does *now* in this *hour*."""
    found = {finding.reason for finding in findings_of(now, allowed_in_hour(past, hour))}
    whole = {**past, hour: now}
    return found | ({DAY} if destinations_of_day(whole, hour) > allowed_in_day(whole, hour) else set())


@pytest.mark.parametrize("past", [{}, office(1), office(4), newsletter((2,), size=20)], ids=["new", "1w", "4w", "list"])
def test_a_stolen_account_is_unusual(past: Past):
    """300 messages to 250 strangers, whatever little the account did before."""
    assert {VOLUME, DESTINATIONS} <= reasons(past, NOW, sent(300, 250))


def test_one_message_to_many_strangers_is_unusual():
    """It is not the number of messages that tells."""
    assert reasons(office(), NOW, sent(1, 200)) == {DESTINATIONS}


def test_a_slow_drip_is_unusual_within_the_day():
    """No hour exceeds a floor, the day does."""
    past = {**office(), **{NOW - hours: sent(30) for hours in range(10)}}

    assert findings_of(past[NOW], allowed_in_hour(past, NOW)) == []
    assert reasons(past, NOW, sent(30)) == {DAY}


def test_mail_at_an_hour_at_which_the_account_never_sends_is_unusual():
    """Fewer destinations than by day, at three in the morning."""
    assert reasons(office(), NIGHT, sent(25)) == {ODD_HOURS}
    assert reasons(office(), NOW, sent(25)) == set()
    assert reasons({**office(), NIGHT - 7 * DAY_HOURS: sent(1)}, NIGHT, sent(25)) == set()


@pytest.mark.parametrize(("now", "reason"), [(sent(30, 5, failures=25), FAILURES), (sent(0, rejects=40), REJECTS)])
def test_many_failures_and_rejects_are_unusual(now: SenderHour, reason: UnusualReason):
    """An old list of addresses, or a client that guesses what it may send."""
    assert reasons(office(), NOW, now) == {reason}


@pytest.mark.parametrize("weeks", [(1, 2, 3, 4), (1, 2), (1, 2, 4), (2, 3, 4)])
def test_a_newsletter_that_goes_out_each_week_is_not_unusual(weeks: tuple[int, ...]):
    """With its failures, from the third time on, and after it was left out once."""
    assert reasons(newsletter(weeks), NOW, sent(300, failures=30)) == set()


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_newsletter_may_be_an_hour_off_and_stretch_over_two(shift: int):
    """A summer time begins, or the hour ends while it is sent."""
    past = newsletter()

    assert reasons(past, NOW + shift, sent(300, failures=30)) == set()
    halves = {NOW - week * WEEK_HOURS - half: sent(150) for week in range(1, 5) for half in (0, 1)}
    assert reasons({**newsletter(()), **halves}, NOW, sent(300)) == set()


def test_a_newsletter_may_grow_but_not_tenfold():
    """Up to twice the usual."""
    assert reasons(newsletter(), NOW, sent(500)) == set()
    assert {VOLUME, DESTINATIONS, DAY} <= reasons(newsletter(), NOW, sent(3000))


def test_a_newsletter_on_another_day_is_unusual():
    """The same weekday counts."""
    assert DESTINATIONS in reasons(newsletter(), NOW + DAY_HOURS, sent(300))


@pytest.mark.parametrize("now", [sent(20), sent(60, 30), sent(90, 10, failures=5), sent(1, 45)])
def test_a_new_account_with_a_normal_start_is_not_unusual(now: SenderHour):
    """It has no past, but the floors."""
    assert reasons({}, NOW, now) == set()


def test_a_busy_account_of_two_days_is_judged_by_its_days():
    """No earlier week is known; a script that writes all day is usual from its second day on."""
    past = {NOW - hours: sent(150, 3) for hours in range(1, 2 * DAY_HOURS)}

    assert reasons(past, NOW, sent(150, 3)) == set()
    assert reasons(past, NOW, sent(900, 3)) == {VOLUME}


def test_the_judged_hour_does_not_excuse_itself():
    """Only earlier hours are its past."""
    past = {NOW: sent(300, 250), NOW - 1: sent(300, 250)}

    assert {VOLUME, DESTINATIONS} <= reasons(past, NOW, past[NOW])


def test_a_stolen_account_is_alerted_within_five_minutes_with_the_defaults():
    """300 messages to 250 strangers in ten minutes: the floor, then at worst a whole interval of each step."""
    every = IntervalSettings()
    strangers_per_second = 250 / 600
    scrape, evaluation = 30, 30

    exceeded = (FLOORS[DESTINATIONS] + 1) / strangers_per_second

    assert exceeded + every.logs + every.senders + scrape + evaluation < 300
