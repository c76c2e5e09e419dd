"""What a benchmark returns, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One comparison.

    Attributes:
        ours: Our figure, in *unit*.
        peer: What it is compared with: another program's figure, or a stated limit.
        limit: The largest ratio ours/peer that is acceptable; ``None`` where the row only informs.
    """

    name: str
    ours: float
    peer: float
    unit: str
    peer_name: str
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """Ours by theirs."""
        return self.ours / self.peer

    @property
    def met(self) -> bool:
        """Whether the limit holds."""
        return self.limit is None or self.ratio <= self.limit


def show(rows: Iterable[Row]) -> bool:
    """Prints *rows*; whether all limits hold."""
    good = True
    for row in rows:
        good = good and row.met
        verdict = "" if row.limit is None else f"  limit {row.limit:g}: {'met' if row.met else 'MISSED'}"
        print(
            f"{row.name:58} {row.ours:12.4f} {row.unit:5} against {row.peer:12.4f} ({row.peer_name})"
            f"  ratio {row.ratio:7.3f}{verdict}",
            flush=True,
        )
    return good
