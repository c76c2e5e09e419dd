"""DMARC records and the rows that SQLite makes of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.errors import StoreError
from exporter.model.report_words import AlignedResult, AuthResult, Disposition, OverrideReason, SpfScope
from exporter.model.reports import DkimResult, DmarcRecord, DmarcResults, Override, SpfResult
from exporter.store.reports.records import SHARED, RecordRows
from exporter.store.reports.rows import INSERTS
from exporter.store.store import Store
from tests.support.reports import wire

T = TypeVar("T")

NOW = wire.at("2026-11-22T12:34:56")

texts = st.sampled_from(["", "a.test", "b.test", "x\x00y", "é' OR 1", "?1"]) | st.text(max_size=4)
results = st.builds(
    DmarcResults,
    disposition=st.sampled_from(Disposition),
    dkim=st.sampled_from(AlignedResult),
    spf=st.sampled_from(AlignedResult),
    header_from=texts,
    envelope_from=texts,
    envelope_to=texts,
    dkim_results=st.lists(st.builds(DkimResult, texts, texts, st.sampled_from(AuthResult), texts), max_size=3).map(
        tuple
    ),
    spf_results=st.lists(
        st.builds(SpfResult, texts, st.sampled_from(SpfScope), st.sampled_from(AuthResult), texts), max_size=2
    ).map(tuple),
    overrides=st.lists(st.builds(Override, st.sampled_from(OverrideReason), texts), max_size=2).map(tuple),
)


@st.composite
def reports(draw: st.DrawFn) -> list[list[DmarcRecord]]:
    """Some of a few results each, the same objects or equal ones."""
    kinds = draw(st.lists(results, min_size=1, max_size=4))
    one = st.builds(
        DmarcRecord,
        st.sampled_from(["192.0.2.1", "2001:db8::1", ""]),
        st.integers(0, 2**53),
        st.sampled_from(kinds) | st.sampled_from(kinds).map(lambda of: of._replace()),
    )
    return draw(st.lists(st.lists(one, max_size=5), max_size=4))


def spelled_out(report: int, records: Sequence[DmarcRecord]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """The rows that *records* are, with their tables."""
    for number, (source, messages, of) in enumerate(records):
        names = (of.header_from, of.envelope_from, of.envelope_to)
        yield "dmarc_record", (report, number, source, messages, of.disposition, of.dkim, of.spf, *names)
        checks = [("dkim", d.domain, d.selector, d.result, d.human_result) for d in of.dkim_results]
        checks += [("spf", s.domain, s.scope, s.result, s.human_result) for s in of.spf_results]
        for at, check in enumerate(checks):
            yield "dmarc_auth", (report, number, at, *check)
        for at, override in enumerate(of.overrides):
            yield "dmarc_override", (report, number, at, *override)


def rows_of(connection: sqlite3.Connection) -> list[tuple[str, tuple[object, ...]]]:
    """All rows about records."""
    tables = ("dmarc_record", "dmarc_auth", "dmarc_override")
    ordered = "SELECT * FROM {} ORDER BY 1, 2, 3"
    return [(table, row) for table in tables for row in connection.execute(ordered.format(table))]


def left(connection: sqlite3.Connection) -> int:
    """The rows in temporary tables."""
    counted = "SELECT count(*) FROM temp.{}"
    return sum(connection.execute(counted.format(table)).fetchone()[0] for table in SHARED)


def put(connection: sqlite3.Connection, report: int) -> None:
    """A report without records."""
    values = (report, "mx1", "dmarc", report.to_bytes(16, "big"), "s", "r", "i", "a.test", 0, 0, 0, 0, 0)
    connection.execute(INSERTS["report"].one, values)


def in_a_store(path: Path, act: Callable[[Store], Awaitable[T]]) -> T:
    """What *act* returns of the history at *path*."""

    async def run() -> T:
        store = await Store.open(path, now=NOW)
        try:
            return await act(store)
        finally:
            await store.aclose()

    return asyncio.run(run())


@settings(deadline=None)
@given(batches=st.lists(reports(), min_size=1, max_size=2))
def test_every_record_becomes_its_own_rows(tmp_path_factory: pytest.TempPathFactory, batches: list):
    """Whatever they share, in one transaction or in the next; and nothing is left beside the file's tables."""
    path = tmp_path_factory.mktemp("records") / "h.sqlite3"
    expected: list[tuple[str, tuple[object, ...]]] = []
    sums = []

    async def write(store: Store) -> int:
        for batch in batches:
            made = RecordRows()
            first = 1000 * len(sums)
            for report, records in enumerate(batch, first):
                sums.append((made.add(report, records), records))
                expected.extend(spelled_out(report, records))

            def work(connection: sqlite3.Connection, first: int = first, many: int = len(batch), made=made) -> None:
                for report in range(first, first + many):
                    put(connection, report)
                made.write(connection)

            await store.write(work)
        return await store.write(left)

    assert in_a_store(path, write) == 0
    with closing(sqlite3.connect(path)) as connection:
        assert sorted(rows_of(connection)) == sorted(expected)
    for (aligned, failed), records in sums:
        assert aligned == sum(r.messages for r in records if r.results.aligned)
        assert failed == sum(r.messages for r in records if not r.results.aligned)


def test_equal_results_are_handed_over_once():
    """Also where each record was read by itself, as those of v0.16 are."""
    made = RecordRows()
    of = DmarcResults(
        Disposition.NONE,
        AlignedResult.PASS,
        AlignedResult.FAIL,
        "a.test",
        "",
        "",
        (DkimResult("a.test", "s1", AuthResult.PASS, ""),),
        (),
        (),
    )

    for report in range(3):
        made.add(report, [DmarcRecord("192.0.2.1", 1, of._replace()) for _ in range(4)])

    assert len(made.tables["new_record"]) == 12 * SHARED["new_record"].columns
    assert len(made.tables["new_results"]) == SHARED["new_results"].columns
    assert len(made.tables["new_auth"]) == SHARED["new_auth"].columns


def test_a_write_that_fails_leaves_nothing_for_the_next(tmp_path: Path):
    """Here a record without its report; the rows of the next transaction are only its own."""
    of = DmarcResults(Disposition.NONE, AlignedResult.PASS, AlignedResult.PASS, "a.test", "", "", (), (), ())
    orphan, good = RecordRows(), RecordRows()
    orphan.add(7, [DmarcRecord("192.0.2.7", 7, of)])
    good.add(1, [DmarcRecord("192.0.2.1", 1, of)])

    async def write(store: Store) -> int:
        with pytest.raises(StoreError, match="FOREIGN KEY"):
            await store.write(orphan.write)

        def work(connection: sqlite3.Connection) -> None:
            put(connection, 1)
            good.write(connection)

        await store.write(work)
        return await store.write(left)

    assert in_a_store(tmp_path / "h.sqlite3", write) == 0
    with closing(sqlite3.connect(tmp_path / "h.sqlite3")) as connection:
        assert [row[:4] for _, row in rows_of(connection)] == [(1, 0, "192.0.2.1", 1)]
