"""The newest reports are found by an index, whatever is asked for."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from exporter.model.report_words import ReportKind
from exporter.store.reading import reading
from exporter.store.reports.filter import ReportFilter
from exporter.store.reports.queries import list_reports, newest_reports, report_servers
from tests.support.reports.history import now, ordinary, take_in

ALL = 10_000
FILTERS = [
    ReportFilter(),
    ReportFilter(server="mx1"),
    ReportFilter(server="nobody"),
    ReportFilter(domain="example.test"),
    ReportFilter(domain="other.test"),
    ReportFilter(domain="example.test", kind=ReportKind.TLS),
    ReportFilter(kind=ReportKind.ARF),
    ReportFilter(kind=ReportKind.DMARC, reporter="quiet"),
    ReportFilter(reporter="QUIET"),
    ReportFilter(reporter="nobody"),
    ReportFilter(reporter="reporter"),
    ReportFilter(result="failed"),
    ReportFilter(result="auth-failure"),
    ReportFilter(since=now() - timedelta(days=10), until=now() - timedelta(days=5)),
]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days of reports."""
    path = tmp_path_factory.mktemp("newest") / "h.sqlite3"
    take_in(path, ordinary())
    return path


@pytest.mark.parametrize("wanted", FILTERS)
def test_the_same_reports_are_found_as_without_an_index(history: Path, wanted: ReportFilter):
    """Only the order differs: by the end of the report."""
    with reading(history) as connection:
        slow = list_reports(connection, wanted, most=ALL)
        fast = newest_reports(connection, wanted, most=ALL)
        few = newest_reports(connection, wanted, most=7)

    assert fast == sorted(slow, key=lambda row: (row["ends_at"], row["id"]), reverse=True)
    assert few == fast[:7]


@pytest.mark.parametrize("wanted", FILTERS)
def test_no_route_reads_all_reports(history: Path, wanted: ReportFilter):
    """Each searches an index, and none is sorted but the few TLS reports of a domain."""
    with reading(history) as connection:
        for route in wanted.routes(report_servers(connection), most=7):
            plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {route.sql}", route.parameters)]

            assert plan[0].startswith("SEARCH"), plan
            assert "tls_policy" in route.sql or not [step for step in plan if "ORDER BY" in step], plan
