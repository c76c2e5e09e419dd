"""The section ``rate_limit`` of the web configuration: a token bucket for all requests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from exporter.web.config.section import ConfigSection

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(ns|us|µs|ms|s|m|h)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """
    The rate of requests that are answered.

    Attributes:
        interval_seconds: Time per additional request.
        burst: Number of requests that may come at once.
    """

    interval_seconds: float
    burst: int


class TokenBucket:
    """Admits requests within a rate limit."""

    def __init__(self, limit: RateLimit, *, monotonic: Callable[[], float]) -> None:
        self.limit = limit
        self._monotonic = monotonic
        self._tokens = float(limit.burst)
        self._filled_at = monotonic()

    def admits(self) -> bool:
        """Return whether a request may be answered now, and count it if so."""
        now = self._monotonic()
        earned = (now - self._filled_at) / self.limit.interval_seconds
        self._tokens = min(float(self.limit.burst), self._tokens + earned)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True


def parse_rate_limit(section: ConfigSection) -> RateLimit | None:
    """Parse the limit; ``None`` if it is missing, or its interval is 0, which disables it."""
    if not section.given:
        return None
    interval = _parse_interval(section)
    burst = section.whole_number("burst") if interval else 0
    section.finish(known=("burst",))
    if not interval or burst is None:
        return None
    if burst < 1:
        section.problem("burst", "must be 1 or more, or no request would be answered")
        return None
    return RateLimit(interval_seconds=interval, burst=burst)


def _parse_interval(section: ConfigSection) -> float:
    text = section.duration_text("interval")
    if text == "0":
        return 0.0
    if re.fullmatch(f"(?:{_PART})+", text):
        return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))
    section.problem("interval", "must be a duration such as 1s, 500ms or 1m30s, or 0 for no limit")
    return 0.0
