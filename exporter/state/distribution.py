"""Histograms of the exporter's own observations."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence


class Observations:
    """
    A histogram of the exporter's own observations.

    Attributes:
        bounds: Finite upper bounds, ascending, inclusive.
        counts: Observations in each bucket alone; one more than there are bounds.
        sum: Sum of the observed values.
    """

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value
