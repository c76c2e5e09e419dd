"""When a server's refusal is confirmed, so that the next request can wait for a long time."""

from __future__ import annotations

from exporter.clock import Clock

CONFIRM_SECONDS = 60.0
"""Time from the first refusal to the request that confirms it."""

EARLY_SECONDS = 0.1
"""How much earlier the confirming request may come: timers are inexact, and one that came too early needs another."""


class Doubt:
    """
    Counts consecutive refusals until they are confirmed: two, a minute apart, with no success between them.

    A refusal that is certain is confirmed at once. Each refusal increments a counter on the server, so at most three
    are provoked.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._refusals = 0
        self._certain = False

    def clear(self) -> None:
        """Record a success."""
        self._since, self._refusals, self._certain = None, 0, False

    def refused(self, *, certain: bool = False) -> bool:
        """Record a refusal and return whether it is confirmed."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        self._refusals += 1
        self._certain = certain
        return self.confirmed

    @property
    def begun(self) -> bool:
        """Whether there has been exactly one refusal since the last success."""
        return self._refusals == 1

    @property
    def confirmed(self) -> bool:
        """Whether the refusals since the last success are confirmed."""
        return self._certain or (self._refusals > 1 and self._age() >= CONFIRM_SECONDS - EARLY_SECONDS)

    def wait_seconds(self, *, soon: float = CONFIRM_SECONDS) -> float:
        """Return how long to wait before the next request; after the first refusal, *soon* at most."""
        rest = max(0.0, CONFIRM_SECONDS - self._age())
        return min(soon, rest) if self._refusals == 1 else rest

    def _age(self) -> float:
        return 0.0 if self._since is None else self._clock.monotonic() - self._since
