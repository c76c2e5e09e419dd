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


class SourceChoice:
    """
    The choice between sources, best first.

    A source takes over from a worse one as soon as it has something, and from a better one only once that one has
    said that it cannot be had.
    """

    def __init__(self, ranking: tuple[str, ...], current: str = "") -> None:
        self._ranking = ranking
        self._out: set[str] = set()
        self.current = current

    def claim(self, source: str) -> Claim:
        """*source* has something to count: does it?"""
        if source == self.current:
            self._out.discard(source)
            return Claim(feeds=True)
        better = self._ranking[: self._ranking.index(source)]
        self._out.discard(source)
        if any(name not in self._out for name in better):
            return Claim(feeds=False)
        before, self.current = self.current, source
        return Claim(feeds=True, switched_from=before, first=not before)

    def out(self, source: str) -> None:
        """*source* cannot be had now."""
        self._out.add(source)
