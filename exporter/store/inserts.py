"""
Many rows by few statements: a row of a long one costs SQLite a sixth less than by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MAX_PARAMETERS = 500
"""Of one statement; SQLite takes 999 at least, and longer ones win no more."""


@dataclass(frozen=True, slots=True)
class Insert:
    """
    How rows get into one table.

    Attributes:
        into: The table, with its columns where a row does not have all.
        columns: How many values are a row.
        otherwise: What happens to a row that is there, as SQL.
        one: The statement for one row.
    """

    into: str
    columns: int
    otherwise: str = ""
    one: str = field(init=False)
    _many: str = field(init=False)
    _values: int = field(init=False)

    def __post_init__(self) -> None:
        rows = MAX_PARAMETERS // self.columns
        object.__setattr__(self, "one", self._statement(1))
        object.__setattr__(self, "_many", self._statement(rows))
        object.__setattr__(self, "_values", rows * self.columns)

    def write(self, connection: sqlite3.Connection, values: Sequence[object]) -> None:
        """Writes the rows whose *values* follow one another, inside of a transaction that is open."""
        for sql, parameters in self.statements(values):
            connection.executemany(sql, parameters)

    def statements(self, values: Sequence[object]) -> Iterator[tuple[str, Sequence[Sequence[object]]]]:
        """What to execute, with the parameters of each time, for the rows whose *values* follow one another."""
        whole = len(values) - len(values) % self._values
        for sql, width, start, end in (
            (self._many, self._values, 0, whole),
            (self.one, self.columns, whole, len(values)),
        ):
            if start < end:
                yield sql, [values[at : at + width] for at in range(start, end, width)]

    def _statement(self, rows: int) -> str:
        row = f"({', '.join('?' * self.columns)})"
        return f"INSERT INTO {self.into} VALUES {', '.join([row] * rows)} {self.otherwise}".rstrip()  # noqa: S608 - our own words
