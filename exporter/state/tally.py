"""The exporter's counters: only incremented, never set, so that they survive restarts of server and exporter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType

TallyKey = tuple[str, tuple[str, ...]]
"""A tally's name and its label values."""

Increments = MutableMapping[TallyKey, int]
"""The increments of one step, by tally; integers, in the source's own unit."""


def add(increments: Increments, name: str, labels: tuple[str, ...], amount: int) -> None:
    """Add *amount* to one tally of *increments*."""
    key = (name, labels)
    increments[key] = increments.get(key, 0) + amount


class TallyBook:
    """
    All tallies of one server.

    Attributes:
        version: Grows with every change.
    """

    def __init__(self, values: Mapping[TallyKey, int] | None = None) -> None:
        self._families: dict[str, dict[tuple[str, ...], int]] = {}
        self.version = 0
        if values:
            self.apply(values)

    def apply(self, increments: Mapping[TallyKey, int]) -> None:
        """
        Add *increments*, creating missing tallies; a zero creates a tally at zero.

        Raises ``ValueError`` for a negative increment, before anything has changed.
        """
        for key, amount in increments.items():
            if amount < 0:
                raise ValueError(f"a tally cannot go down: {key[0]}")
        families = self._families
        for (name, labels), amount in increments.items():
            family = families.get(name)
            if family is None:
                family = families[name] = {}
            family[labels] = family.get(labels, 0) + amount
        if increments:
            self.version += 1

    def value(self, key: TallyKey) -> int:
        """Return the value of a tally; 0 if there is none."""
        return self._families.get(key[0], {}).get(key[1], 0)

    def family(self, name: str) -> Mapping[tuple[str, ...], int]:
        """Return the tallies of one name, by label values; a live view that must not be kept."""
        return MappingProxyType(self._families.get(name, {}))

    def names(self) -> Iterator[str]:
        """Return the names that have tallies."""
        return iter(self._families)
