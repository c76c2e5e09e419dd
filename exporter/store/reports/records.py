"""
Inserts of DMARC records: values that many records share are passed to SQLite once, and SQLite builds the rows.

A record and its checks are about thirty values, of which only number, source and count are unique. The others go
through temporary tables of the connection, which are empty outside of a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter.model.reports import DmarcRecord, DmarcResults
from exporter.store.inserts import Insert
from exporter.store.reports.texts import cut

TEMPORARY_TABLES = (
    """
    CREATE TEMPORARY TABLE new_record (
        report INTEGER NOT NULL,
        record INTEGER NOT NULL,
        source_ip TEXT NOT NULL,
        messages INTEGER NOT NULL,
        results INTEGER NOT NULL
    )
    """,
    """
    CREATE TEMPORARY TABLE new_results (
        results INTEGER PRIMARY KEY,
        disposition TEXT NOT NULL,
        dkim TEXT NOT NULL,
        spf TEXT NOT NULL,
        header_from TEXT NOT NULL,
        envelope_from TEXT NOT NULL,
        envelope_to TEXT NOT NULL
    )
    """,
    """
    CREATE TEMPORARY TABLE new_auth (
        results INTEGER NOT NULL,
        number INTEGER NOT NULL,
        method TEXT NOT NULL,
        domain TEXT NOT NULL,
        detail TEXT NOT NULL,
        result TEXT NOT NULL,
        human_result TEXT NOT NULL,
        PRIMARY KEY (results, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TEMPORARY TABLE new_override (
        results INTEGER NOT NULL,
        number INTEGER NOT NULL,
        reason TEXT NOT NULL,
        comment TEXT NOT NULL,
        PRIMARY KEY (results, number)
    ) WITHOUT ROWID
    """,
)
"""Temporary tables that a connection needs before it can write records."""

SHARED = {
    "new_record": Insert("temp.new_record", 5),
    "new_results": Insert("temp.new_results", 7),
    "new_auth": Insert("temp.new_auth", 7),
    "new_override": Insert("temp.new_override", 4),
}

SPELLED_OUT = {
    "dmarc_record": "SELECT n.report, n.record, n.source_ip, n.messages, of.disposition, of.dkim, of.spf,"
    " of.header_from, of.envelope_from, of.envelope_to"
    " FROM temp.new_record AS n CROSS JOIN temp.new_results AS of ON of.results = n.results",
    "dmarc_auth": "SELECT n.report, n.record, of.number, of.method, of.domain, of.detail, of.result, of.human_result"
    " FROM temp.new_record AS n CROSS JOIN temp.new_auth AS of ON of.results = n.results",
    "dmarc_override": "SELECT n.report, n.record, of.number, of.reason, of.comment"
    " FROM temp.new_record AS n CROSS JOIN temp.new_override AS of ON of.results = n.results",
}
"""The rows of each table in primary-key order, which is insertion order, so that they are appended."""

WRITES = tuple(f"INSERT INTO {table} {rows}" for table, rows in SPELLED_OUT.items())
CLEARS = tuple(f"DELETE FROM temp.{table}" for table in SHARED)  # noqa: S608 - our own SQL

Row = tuple[Any, ...]


class _Known(NamedTuple):
    """Results already added; the reference keeps their `id` from being reused."""

    results: DmarcResults
    number: int
    aligned: bool


@dataclass(slots=True)
class RecordRows:
    """
    The rows of some DMARC records.

    Attributes:
        tables: In the order of `SHARED`; the values of all rows as a flat list.
    """

    tables: dict[str, list[Any]] = field(default_factory=lambda: {table: [] for table in SHARED})
    _known: dict[int, _Known] = field(default_factory=dict)
    _numbers: dict[DmarcResults, int] = field(default_factory=dict)

    def add(self, report: int, records: Sequence[DmarcRecord]) -> tuple[int, int]:
        """Add the records of one report; return the numbers of aligned and of failed messages."""
        aligned = failed = 0
        rows, known = self.tables["new_record"], self._known
        for number, (source_ip, messages, results) in enumerate(records):
            of = known.get(id(results)) or self._learn(results)
            if of.aligned:
                aligned += messages
            else:
                failed += messages
            rows += (report, number, source_ip, messages, of.number)
        return aligned, failed

    def write(self, connection: sqlite3.Connection) -> None:
        """Insert all rows; requires an open transaction in which the rows of their reports are written already."""
        if not self._known:
            return
        for table, values in self.tables.items():
            SHARED[table].write(connection, values)
        for statement in (*WRITES, *CLEARS):
            connection.execute(statement)

    def _learn(self, results: DmarcResults) -> _Known:
        number = self._numbers.get(results)
        if number is None:
            number = self._numbers[results] = len(self._numbers)
            self.tables["new_results"] += (number, *_results(results))
            for table, rows in (("new_auth", _checks(results)), ("new_override", _overrides(results))):
                for at, row in enumerate(rows):
                    self.tables[table] += (number, at, *row)
        known = self._known[id(results)] = _Known(results, number, results.aligned)
        return known


def _results(results: DmarcResults) -> Row:
    """Return the values of a ``dmarc_record`` row from the column ``disposition`` on."""
    words = (results.disposition.value, results.dkim.value, results.spf.value)
    return *words, cut(results.header_from), cut(results.envelope_from), cut(results.envelope_to)


def _checks(results: DmarcResults) -> Sequence[Row]:
    """Return the values of ``dmarc_auth`` rows from the column ``method`` on."""
    return [
        ("dkim", cut(dkim.domain), cut(dkim.selector), dkim.result.value, cut(dkim.human_result))
        for dkim in results.dkim_results
    ] + [
        ("spf", cut(spf.domain), spf.scope.value, spf.result.value, cut(spf.human_result))
        for spf in results.spf_results
    ]


def _overrides(results: DmarcResults) -> Sequence[Row]:
    """Return the values of ``dmarc_override`` rows from the column ``reason`` on."""
    return [(override.reason.value, cut(override.comment)) for override in results.overrides]
