"""
Which source feeds a set of tallies: exactly one at a time, the best that can be had.

The source in force is remembered on disk, so that a restart of ours is not taken for a switch.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """
    The answer to a source that has something to count.

    Attributes:
        feeds: Whether it counts.
        switched_from: The source that counted until now, where it is another one; empty on first contact.
        first: No source has ever counted.
    """

    feeds: bool
    switched_from: str = ""
    first: bool = False


NO_CLAIM = Claim(feeds=False)


class SourceChoice:
    """
    The choice between sources, best first.

    A source takes over from a worse one as soon as it has something, and from a better one only once that one has
    said that it cannot be had.

    The counters are chosen for apart from the rest: a source may be good for histograms and gauges and yet tell its
    counters under wrong names, or none, while a worse one has them right.

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
        """*source* has histograms and gauges to count: does it?"""
        return self._rest.claim(source)

    def claim_counters(self, source: str) -> Claim:
        """*source* has counters to count: does it?"""
        return self._counters.claim(source)

    def out(self, source: str) -> None:
        """*source* cannot be had now."""
        self._rest.out(source)
        self._counters.out(source)

    def withholds_counters(self, source: str) -> None:
        """*source* can be had, but for its counters."""
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
