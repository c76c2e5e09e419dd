"""Pictures of DMARC results: what they draw, and how far back a page reads."""

from __future__ import annotations

import re

import pytest

from exporter.store.reports.dmarc.days import WEEK_SECONDS, DayResult, PolicyAt
from exporter.web.pages.reports.domain import MOST_REPORTS, first_day_of
from exporter.web.pages.reports.pictures import alignment_bars, policy_band

FIRST = 20_000


def days(*reports: int) -> list[DayResult]:
    """Days in a row with so many reports."""
    return [DayResult(day=FIRST + n, aligned=10, failed=1, reports=count) for n, count in enumerate(reports)]


@pytest.mark.parametrize(
    ("reports", "first"),
    [
        ((), FIRST),
        ((5, 5, 5), FIRST),
        ((MOST_REPORTS, 1), FIRST + 1),
        ((5, MOST_REPORTS // 2, MOST_REPORTS // 2), FIRST + 1),
        ((5, 5, 3 * MOST_REPORTS), FIRST + 2),
    ],
)
def test_sources_are_read_from_the_newest_reports_only(reports: tuple[int, ...], first: int):
    """As many days as the limit allows, at least the newest one."""
    assert first_day_of(days(*reports), FIRST) == first


def test_each_day_has_a_column_with_its_numbers():
    """A day without a report is marked as unknown, not as empty."""
    markup = str(alignment_bars(days(1, 1), first_day=FIRST, last_day=FIRST + 2, domain="a.test"))

    titles = re.findall("<title>(.*?)</title>", markup)
    assert [title.partition(": ")[2] for title in titles] == [
        "10 aligned, 1 failed, 90.9 % aligned",
        "10 aligned, 1 failed, 90.9 % aligned",
        "no report",
    ]
    assert 'aria-label="a.test: 20 aligned and 2 failed messages"' in markup


def test_a_long_time_is_drawn_in_columns_of_several_days():
    """The sum stays the same."""
    markup = str(alignment_bars(days(*[1] * 365), first_day=FIRST, last_day=FIRST + 364, domain="a.test"))

    titles = re.findall("<title>(.*?)</title>", markup)
    assert 25 <= len(titles) <= 31
    assert sum(int(found) for found in re.findall(": ([0-9]+) aligned,", " ".join(titles))) == 3650


def test_policies_in_a_row_are_one_band_and_a_gap_stays_one():
    """A change, a partial policy and a week without a report each end a band."""
    weeks = [(1, "none", False), (2, "none", False), (3, "reject", True), (5, "reject", True), (6, "reject", False)]
    policies = [PolicyAt(at=week * WEEK_SECONDS, policy=policy, partial=partial) for week, policy, partial in weeks]

    markup = str(policy_band(policies, domain="a.test"))

    bands = re.findall('<rect class="(\\w+)"[^>]*><title>(p=.*?) from', markup)
    assert bands == [
        ("bad", "p=none"),
        ("wait", "p=reject for a part of the mail"),
        ("wait", "p=reject for a part of the mail"),
        ("good", "p=reject"),
    ]
    assert policy_band([], domain="a.test") == ""
