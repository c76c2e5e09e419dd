"""
The choice of the source that feeds a set of tallies: one at a time, the best available.

The current source is saved to disk, so that a restart of the exporter does not count as a switch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """
    The result of a source's claim to count.

    Attributes:
        feeds: Whether the source counts.
        switched_from: The previous source if it was a different one; empty on first contact.
        first: Whether no source has ever counted.
    """

    feeds: bool
    switched_from: str = ""
    first: bool = False


NO_CLAIM = Claim(feeds=False)


class SourceChoice:
    """
    The choice between sources, best first.

    A source replaces a worse one as soon as it has data, and a better one only after that one was reported unavailable.

    Counters are chosen separately: a source may be right for histograms and gauges while it reports counters under
    wrong names, or not at all, and a worse source reports them correctly.

    Attributes:
        current: The source that feeds histograms and gauges; empty before the first.
        counters: The source that feeds the counters.
    """

    def __init__(self, ranking: tuple[str, ...], current: str = "", counters: str | None = None) -> None:
        self._rest = _Choice(ranking, current)
        self._counters = _Choice(ranking, current if counters is None else counters)

    @property
    def current(self) -> str:
        return self._rest.current

    @property
    def counters(self) -> str:
        return self._counters.current

    def claim(self, source: str) -> Claim:
        """Claim histograms and gauges for *source*, which has data for them."""
        return self._rest.claim(source)

    def claim_counters(self, source: str) -> Claim:
        """Claim the counters for *source*, which has data for them."""
        return self._counters.claim(source)

    def out(self, source: str) -> None:
        """Record that *source* is unavailable."""
        self._rest.out(source)
        self._counters.out(source)

    def withholds_counters(self, source: str) -> None:
        """Record that *source* is available, except for its counters."""
        self._counters.out(source)


class _Choice:
    """The choice for one set of tallies."""

    def __init__(self, ranking: tuple[str, ...], current: str) -> None:
        self._ranking = ranking
        self._out: set[str] = set()
        self.current = current

    def claim(self, source: str) -> Claim:
        self._out.discard(source)
        if source == self.current:
            return Claim(feeds=True)
        better = self._ranking[: self._ranking.index(source)]
        if any(name not in self._out for name in better):
            return NO_CLAIM
        before, self.current = self.current, source
        return Claim(feeds=True, switched_from=before, first=not before)

    def out(self, source: str) -> None:
        self._out.add(source)
