"""Inserts of many rows per statement: a row costs SQLite a sixth less than in a statement of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MAX_PARAMETERS = 500
"""Parameters per statement; SQLite allows at least 999, but more than this is no faster."""


@dataclass(frozen=True, slots=True)
class Insert:
    """
    The INSERT statements of one table.

    Attributes:
        into: The table, with column names if a row does not have all columns.
        columns: Number of values per row.
        otherwise: The conflict clause, as SQL.
        one: The statement for a single row.
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
        """Insert rows, given as the flat sequence of their *values*; requires an open transaction."""
        for sql, parameters in self.statements(values):
            connection.executemany(sql, parameters)

    def statements(self, values: Sequence[object]) -> Iterator[tuple[str, Sequence[Sequence[object]]]]:
        """Yield the statements for rows given as the flat sequence of their *values*, each with its parameter lists."""
        whole = len(values) - len(values) % self._values
        for sql, width, start, end in (
            (self._many, self._values, 0, whole),
            (self.one, self.columns, whole, len(values)),
        ):
            if start < end:
                yield sql, [values[at : at + width] for at in range(start, end, width)]

    def _statement(self, rows: int) -> str:
        row = f"({', '.join('?' * self.columns)})"
        return f"INSERT INTO {self.into} VALUES {', '.join([row] * rows)} {self.otherwise}".rstrip()  # noqa: S608 - our own SQL
