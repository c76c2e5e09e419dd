"""Many rows by few statements: nothing is lost, doubled or out of place, whatever the numbers."""

from __future__ import annotations

import sqlite3
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from exporter.store.inserts import MAX_PARAMETERS, Insert


@given(columns=st.integers(1, 30), count=st.integers(0, 3 * MAX_PARAMETERS), data=st.data())
def test_every_row_arrives_whole_and_in_order(columns: int, count: int, data: st.DataObject):
    """Around every multiple of what one statement takes, too."""
    count = data.draw(st.sampled_from([count, count // columns, MAX_PARAMETERS // columns]))
    rows = [tuple(range(number, number + columns)) for number in range(count)]
    table = sqlite3.connect(":memory:")
    table.execute(f"CREATE TABLE t ({', '.join(f'c{number}' for number in range(columns))})")

    for sql, parameters in Insert("t", columns).statements(list(chain.from_iterable(rows))):
        assert max(map(len, parameters)) <= MAX_PARAMETERS
        table.executemany(sql, parameters)

    assert table.execute("SELECT * FROM t ORDER BY rowid").fetchall() == rows


def test_what_is_there_is_added_to():
    """Also where one statement brings the same row several times."""
    table = sqlite3.connect(":memory:")
    table.execute("CREATE TABLE t (name PRIMARY KEY, amount)")
    insert = Insert("t", 2, "ON CONFLICT (name) DO UPDATE SET amount = amount + excluded.amount")

    for sql, parameters in insert.statements(["a", 1, "b", 2] * MAX_PARAMETERS):
        table.executemany(sql, parameters)

    assert dict(table.execute("SELECT * FROM t")) == {"a": MAX_PARAMETERS, "b": 2 * MAX_PARAMETERS}
