"""Whether what a server refuses may be believed, and be left alone for long."""

from __future__ import annotations

from exporter.clock import Clock

CONFIRM_SECONDS = 60.0
"""From the first refusal to the look that confirms it."""

EARLY_SECONDS = 0.1
"""How much earlier that look may come: timers are not exact, and a look that comes too early provokes another one."""


class Doubt:
    """
    Counts refusals in a row until they are believed: two of them, a minute apart, and no success between them.

    One that is certain is believed at once. Each refusal moves a counter of the server that refuses, so that few are
    provoked: three at most.
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
        """Record a refusal; return whether it is confirmed."""
        now = self._clock.monotonic()
        if self._since is None:
            self._since = now
        self._refusals += 1
        self._certain = certain
        return self.confirmed

    @property
    def begun(self) -> bool:
        """Whether the last refusal was the first."""
        return self._refusals == 1

    @property
    def confirmed(self) -> bool:
        """Whether the last refusal is to be believed for long."""
        return self._certain or (self._refusals > 1 and self._age() >= CONFIRM_SECONDS - EARLY_SECONDS)

    def wait_seconds(self, *, soon: float = CONFIRM_SECONDS) -> float:
        """Return how long to wait before the next look, which comes after *soon* once."""
        rest = max(0.0, CONFIRM_SECONDS - self._age())
        return min(soon, rest) if self._refusals == 1 else rest

    def _age(self) -> float:
        return 0.0 if self._since is None else self._clock.monotonic() - self._since
