"""What accounts send, hour by hour, and when that is unusual: judged against an account's own past."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

HOUR_SECONDS = 3600
DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS

WEEKS = 4
"""The weeks that make the baseline."""

KEEP_HOURS = (WEEKS + 1) * WEEK_HOURS
"""How far back hours are kept."""

SCALED_MAD = 1.4826
"""The median absolute deviation times this is the standard deviation of a normal distribution."""

DEVIATIONS = 6.0
TIMES_MEDIAN = 2.0
FEWEST = 3
SHIFTS = (-1, 0, 1)
"""What is sent at the same time each week may begin an hour sooner or later."""

SETTLED_DAYS = 5
"""An account needs so many earlier days with mail before the hours of a day at which it never sends are known."""


class UnusualReason(StrEnum):
    """Why a sender is unusual; each is a number that exceeds its floor and what the account's past allows."""

    VOLUME = "volume"
    DESTINATIONS = "destinations"
    DAY = "day"
    FAILURES = "failures"
    REJECTS = "rejects"
    ODD_HOURS = "odd_hours"


FLOORS: Mapping[UnusualReason, int] = {
    UnusualReason.VOLUME: 100,
    UnusualReason.DESTINATIONS: 50,
    UnusualReason.DAY: 250,
    UnusualReason.FAILURES: 20,
    UnusualReason.REJECTS: 20,
    UnusualReason.ODD_HOURS: 20,
}
"""Up to this much is never unusual, so that small and new accounts are not judged by a few messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderHour:
    """
    What a sender did within one hour.

    Attributes:
        messages: Submissions.
        recipients: Their recipients.
        destinations: Different addresses among these outside the sender's own domain.
        failures: Recipients that failed permanently in this hour.
        rejects: Refusals of its sessions.
    """

    messages: int = 0
    recipients: int = 0
    destinations: int = 0
    failures: int = 0
    rejects: int = 0


NOTHING = SenderHour()
Past = Mapping[int, SenderHour]
"""The hours in which a sender did something, by Unix hour."""

Measure = Callable[[SenderHour], int]
_HOURLY: Mapping[UnusualReason, Measure] = {
    UnusualReason.VOLUME: lambda hour: hour.messages,
    UnusualReason.DESTINATIONS: lambda hour: hour.destinations,
    UnusualReason.FAILURES: lambda hour: hour.failures,
    UnusualReason.REJECTS: lambda hour: hour.rejects,
    UnusualReason.ODD_HOURS: lambda hour: hour.destinations,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason: the number *seen*, and the number *allowed* by floor and past, which it exceeds."""

    reason: UnusualReason
    seen: int
    allowed: int


Allowed = Mapping[UnusualReason, int]
"""What is allowed by reason; without a reason that cannot apply."""


def findings_of(hour: SenderHour, allowed: Allowed) -> Sequence[Finding]:
    """Return what is unusual about an hour."""
    numbers = [(reason, _HOURLY[reason](hour)) for reason in allowed]
    return [Finding(reason, seen, allowed[reason]) for reason, seen in numbers if seen > allowed[reason]]


def allowed_in_hour(past: Past, hour: int) -> Allowed:
    """Return what the floors and the *past* of a sender allow in the Unix hour *hour*, which itself does not count."""
    allowed: dict[UnusualReason, int] = {
        reason: max(FLOORS[reason], _usual(past, hour, measure))
        for reason, measure in _HOURLY.items()
        if reason is not UnusualReason.ODD_HOURS
    }
    if _never_sends_at(past, hour):
        allowed[UnusualReason.ODD_HOURS] = FLOORS[UnusualReason.ODD_HOURS]
    return allowed


def allowed_in_day(past: Past, hour: int) -> int:
    """Return how many destinations are allowed in the 24 hours up to and including *hour*; more is a slow drip."""
    steps = _steps(past, hour)
    usual = [
        _tolerated([destinations_of_day(past, hour + shift - step) for step in steps if step >= DAY_HOURS + shift])
        for shift in SHIFTS
    ]
    return max(FLOORS[UnusualReason.DAY], *usual)


def destinations_of_day(past: Past, hour: int) -> int:
    """Return the destinations of the 24 hours up to and including *hour*, as the sum of those of each hour."""
    return sum(past.get(one, NOTHING).destinations for one in range(hour - DAY_HOURS + 1, hour + 1))


def _usual(past: Past, hour: int, measure: Measure) -> int:
    """
    Return what the same hours of the same weekday in earlier weeks allow.

    What is sent at the same time each week may begin a bit sooner or later, and stretch over two hours. Without an
    earlier week the same hours of earlier days count.
    """
    steps = _steps(past, hour)

    def pair(end: int) -> int:
        return measure(past.get(end - 1, NOTHING)) + measure(past.get(end, NOTHING))

    return max((_tolerated([pair(hour + shift - step) for step in steps]) for shift in SHIFTS), default=0)


def _tolerated(earlier: Sequence[int]) -> int:
    """
    Return the most that is usual, by median and median absolute deviation; 0 without earlier numbers.

    Two numbers have no deviation to speak of: then the larger one counts.
    """
    if len(earlier) < FEWEST:
        return int(TIMES_MEDIAN * max(earlier, default=0))
    middle = median(earlier)
    deviation = SCALED_MAD * median(abs(number - middle) for number in earlier)
    return int(max(TIMES_MEDIAN * middle, middle + DEVIATIONS * deviation))


def _steps(past: Past, hour: int) -> Sequence[int]:
    """Return the hours back to the same hour of earlier weeks, else of earlier days, in which the sender was known."""
    first = min(past, default=hour)
    weeks = [week * WEEK_HOURS for week in range(1, WEEKS + 1)]
    days = [day * DAY_HOURS for day in range(1, 7)]
    return [step for step in weeks if hour - step >= first] or [step for step in days if hour - step >= first]


def _never_sends_at(past: Past, hour: int) -> bool:
    """Return whether a sender with enough history has never sent within an hour of this time of day."""
    earlier = [one for one, did in past.items() if one <= hour - DAY_HOURS // 2 and did.messages]
    if len({one // DAY_HOURS for one in earlier}) < SETTLED_DAYS:
        return False
    near = {(hour + shift) % DAY_HOURS for shift in (-1, 0, 1)}
    return all(one % DAY_HOURS not in near for one in earlier)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSnapshot:
    """
    The senders of one server at one instant.

    Attributes:
        submitting: Senders with at least one submission in the last 24 hours.
        unusual: Senders that are unusual now, in this hour or the one before, by reason.
    """

    submitting: int
    unusual: Mapping[UnusualReason, int]
