"""Gauges from the report history: sums over time windows, and the last report of each reporter."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportGauges:
    """
    The gauges of one server's reports, with bounded labels.

    Attributes:
        window_messages: By domain, window (``1d``, ``7d``, ``30d``) and result (``aligned``, ``failed``).
        peers: Reports exchanged within a week with peers that exchange nothing else, by domain; ``None`` while the
            trail is too young to tell.
        last_heard: When the last report was received, by domain and reporter, in Unix seconds.
    """

    window_messages: Mapping[tuple[str, ...], int]
    last_heard: Mapping[tuple[str, ...], int]
    peers: Mapping[tuple[str, ...], int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReadiness:
    """
    Readiness for the next DMARC policy, by domain and that policy; domains about which too little is known are absent.

    Attributes:
        ready: 1 or 0.
        hurt: Failing messages of the last 30 days that the policy would hurt.
    """

    ready: Mapping[tuple[str, ...], int]
    hurt: Mapping[tuple[str, ...], int]


class ReportGaugeBoard:
    """The latest gauges of one server, until they become stale."""

    def __init__(self, *, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._gauges: ReportGauges | None = None
        self._expires_at = 0.0
        self._version = 0

    def publish(self, gauges: ReportGauges, *, fresh_seconds: float) -> None:
        """Replace the gauges; they stay fresh for *fresh_seconds*."""
        self._gauges = gauges
        self._expires_at = self._monotonic() + fresh_seconds
        self._version += 1

    @property
    def latest(self) -> ReportGauges | None:
        """The gauges; ``None`` before the first and once they are stale."""
        return self._gauges if self._monotonic() < self._expires_at else None

    def version(self) -> tuple[int, bool]:
        """Return a value that changes when the gauges change and when they become stale."""
        return self._version, self._monotonic() < self._expires_at
