"""Schedules of retries, delay notices and expiry."""

from __future__ import annotations

from dataclasses import dataclass

NEVER = 10_000 * 86_400.0

MINUTE = 60.0
HOUR = 3600.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """
    The schedule of a virtual queue: retries, delay notices and expiry; in seconds.

    Attributes:
        retry: The last entry repeats.
        max_attempts: Limits attempts instead of time; `expire` is None then.
    """

    queue: str
    retry: tuple[float, ...]
    notify: tuple[float, ...]
    expire: float | None
    max_attempts: int | None = None

    def faster(self, speed: float) -> Schedule:
        """Return the same schedule with every duration divided by *speed*."""
        return Schedule(
            self.queue,
            tuple(seconds / speed for seconds in self.retry),
            tuple(seconds / speed for seconds in self.notify),
            self.expire / speed if self.expire is not None else None,
            self.max_attempts,
        )


_USUAL_RETRY = (2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR)
DEFAULT_SCHEDULES = {
    "local": Schedule("local", _USUAL_RETRY, (DAY, 3 * DAY), 3 * DAY),
    "remote": Schedule("remote", _USUAL_RETRY, (DAY, 3 * DAY), 3 * DAY),
    "default": Schedule("default", _USUAL_RETRY, (DAY, 3 * DAY), 3 * DAY),
    "dsn": Schedule("dsn", (15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR), (NEVER,), None, 10),
    "report": Schedule("report", (30 * MINUTE, HOUR, 2 * HOUR), (NEVER,), None, 8),
}
NESTED_EXPIRE_SECONDS = 5 * DAY
