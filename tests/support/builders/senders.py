"""The past of senders, hour by hour."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.model.senders import DAY_HOURS, WEEK_HOURS, SenderHour

NOW = 24 * 20_000 + 10
"""A Unix hour: ten o'clock."""


def sent(messages: int, destinations: int | None = None, *, failures: int = 0, rejects: int = 0) -> SenderHour:
    """An hour in which each message went to another address outside, unless *destinations* says how many there were."""
    outside = messages if destinations is None else destinations
    return SenderHour(
        messages=messages,
        recipients=max(messages, outside),
        destinations=outside,
        failures=failures,
        rejects=rejects,
    )


def office(weeks: int = 4, *, per_hour: int = 6) -> dict[int, SenderHour]:
    """Someone who sends a little from nine to five on five days a week; today is one of the five."""
    return {
        hour: sent(per_hour)
        for day in range(weeks * 7)
        if day % 7 not in (3, 4)
        for hour in range(NOW - 1 - day * DAY_HOURS, NOW + 7 - day * DAY_HOURS)
        if hour < NOW
    }


def newsletter(weeks: Iterable[int] = (1, 2, 3, 4), *, size: int = 300) -> dict[int, SenderHour]:
    """Someone who sends to a list at this hour of each week, and little else."""
    past = {NOW - day * DAY_HOURS + 3: sent(2) for day in range(1, 29)}
    return {**past, **{NOW - week * WEEK_HOURS: sent(size, failures=size // 10) for week in weeks}}
