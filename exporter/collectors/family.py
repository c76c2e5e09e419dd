"""The definition of a metric family."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The OpenMetrics types that are used here."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gaugehistogram"
    INFO = "info"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """
    One metric family.

    Attributes:
        name: Name in the exposition: a counter's ends in ``_total``, an info's in ``_info``.
        labels: In the order of the label values; ``server`` precedes them if ``per_server``.
        source: Where the numbers come from, for the documentation.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    source: str = ""
    per_server: bool = True

    @property
    def all_labels(self) -> tuple[str, ...]:
        """All label names, in the order of the exposition."""
        return ("server", *self.labels) if self.per_server else self.labels


def family(
    kind: Kind, name: str, help: str, labels: tuple[str, ...] = (), *, source: str = "", per_server: bool = True
) -> Family:
    """Declare a family, with arguments in the order of a table's columns."""
    return Family(name=name, kind=kind, help=help, labels=labels, source=source, per_server=per_server)


def declared(module: Iterable[object]) -> tuple[Family, ...]:
    """Return the families among a module's values, in order of declaration."""
    return tuple(value for value in module if isinstance(value, Family))
