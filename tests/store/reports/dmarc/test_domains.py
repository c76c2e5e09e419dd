"""What is read of domains for pages: days, policies, sources, reporters, TLS failures and complaints."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.store.reading import reading
from exporter.store.reports.dmarc.days import domain_days, largest_domains, policies_over_time
from exporter.store.reports.dmarc.one_domain import Window, complaints, reporter_sums, source_sums, tls_sums
from exporter.store.reports.sums import DAY_SECONDS
from tests.support.reports.history import now, ordinary, seconds, take_in

TODAY = seconds(0) // DAY_SECONDS
WINDOW = Window(domain="example.test", server=None, begin=seconds(30) - 1, now=int(now().timestamp()), most=10)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """Sixty days of reports."""
    path: Path = tmp_path_factory.mktemp("domains") / "h.sqlite3"
    take_in(path, ordinary())
    with reading(path) as opened:
        yield opened


def test_days_add_up_to_the_sums_of_the_domain(connection: sqlite3.Connection):
    """Each of the last ten days has its messages, and so has the domain."""
    span = {"first_day": TODAY - 10, "last_day": TODAY - 1}

    days = domain_days(connection, ["mx1"], ["example.test"], **span)["example.test"]
    (domain, *_) = largest_domains(connection, ["mx1"], most=5, **span)

    assert [day.day for day in days] == list(range(TODAY - 10, TODAY))
    assert {day.aligned for day in days} == {100}
    assert (domain.domain, domain.messages) == ("example.test", sum(day.messages for day in days))


def test_a_policy_is_that_of_the_newest_report_of_its_week(connection: sqlite3.Connection):
    """Weeks before the first report are absent."""
    policies = policies_over_time(connection, "example.test", server="mx1", now=WINDOW.now, weeks=20)

    assert {policy.policy for policy in policies} == {"none"}
    assert 8 <= len(policies) <= 10
    assert policies[-1].at == WINDOW.now


def test_sources_reporters_tls_and_complaints_are_those_of_the_window(connection: sqlite3.Connection):
    """What ended before does not count."""
    sources, reporters = source_sums(connection, WINDOW), reporter_sums(connection, WINDOW)
    tls, complaint = tls_sums(connection, WINDOW), complaints(connection, WINDOW)

    assert sources.count == 3
    assert [one.messages for one in sources.largest] == [3000, 200, 30]
    assert [one.aligned for one in sources.largest] == [3000, 0, 0]
    assert reporters[0].reports == 30
    assert "quiet.test" not in {one.reporter for one in reporters}
    assert {one.result: one.sessions for one in tls.failures} == {"certificate-expired": 3, "starttls-not-supported": 1}
    assert [one.feedback_type for one in complaint] == ["auth-failure"]
