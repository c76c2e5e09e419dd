"""`reports summary`: what changed, and how far it is to reject."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.reports import wire
from tests.support.reports.commands import answer, call
from tests.support.reports.history import daily, now, seconds, take_in


def test_a_summary_tells_what_changed_and_how_far_it_is_to_reject(history: Path):
    """Alignment by week, the new source, the silent reporter, and a verdict from the numbers."""
    summary = answer(history, "summary", "Example.TEST")
    words = call(history, "summary", "example.test").stdout

    assert (summary["aligned"], summary["failed"]) == (30 * 100, 30 + 5 * 40)
    assert summary["overridden"] == 200
    assert [source["source"] for source in summary["new_sources"]] == ["2001:db8::bad"]
    assert summary["failing_sources"][0] | {"reporters": 0} == {
        "source": "2001:db8::bad",
        "failed": 200,
        "authenticated": 200,
        "reporters": 0,
    }
    assert [reporter["reporter"] for reporter in summary["silent_reporters"]] == ["quiet.test"]
    assert summary["verdict"]["step"] == "repair"
    assert sum(week["aligned"] for week in summary["weeks"]) == 60 * 100 + 30
    for expected in ("p=none sp=reject", "Not ready: 7.1 %", "quiet.test", "2001:db8::bad", "200 of them forwarded"):
        assert expected in words


@pytest.mark.parametrize(
    ("failed", "policy", "step"),
    [
        (0, "None", "reject"),
        (5, "None", "reject"),
        (6, "None", "quarantine"),
        (20, "None", "quarantine"),
        (6, "Quarantine", "repair"),
        (21, "None", "repair"),
        (500, "Reject", "none"),
    ],
)
def test_the_verdict_follows_the_share_that_fails(tmp_path: Path, failed: int, policy: str, step: str):
    """Half a percent for reject, two for quarantine; who rejects already has arrived."""
    records = [wire.record(1000 - failed), wire.record(failed, source="192.0.2.2", dkim="Fail", spf="Fail")]
    take_in(tmp_path / "h.sqlite3", daily(14, records, p=policy))

    assert answer(tmp_path / "h.sqlite3", "summary", "example.test")["verdict"]["step"] == step


def test_little_mail_gives_no_verdict_and_none_gives_status_3(tmp_path: Path, history: Path):
    """Nothing is concluded from a handful of messages."""
    report = wire.dmarc(records=[wire.record(99)], begin=seconds(30), end=seconds(29))
    take_in(tmp_path / "h.sqlite3", [("dmarc", report)])

    assert answer(tmp_path / "h.sqlite3", "summary", "example.test")["verdict"]["step"] == "wait"
    assert call(history, "summary", "nobody.test").exit_code == 3


@pytest.mark.parametrize(
    ("spans", "messages", "words"),
    [
        ([(7, 6)], 4, "4 messages over 1 day from 1 reporter; needs at least 100 messages over 14 days from 2"),
        ([(25, 24)], 1, "1 message over 1 day from 1 reporter;"),
        ([(25, 24)], 1000, "1 000 messages over 1 day from 1 reporter;"),
        ([(9, 8), (4, 3)], 2, "4 messages over 2 days from 2 reporters;"),
        ([(14, 13), (1, 0)], 1000, "2 000 messages over 2 days from 2 reporters;"),
        ([(n, n - 1) for n in range(13, 0, -1)], 1000, "13 000 messages over 13 days from 2 reporters;"),
        ([(n, n - 1) for n in range(14, 0, -1)], 1000, "Ready for p=reject"),
        ([(n, n - 1) for n in range(28, 12, -1)], 1000, "16 days from 2 reporters, but none is newer than 7 days."),
        ([(50, 49)], 1000, "0 messages over 0 days from 0 reporters;"),
    ],
)
def test_the_days_of_a_verdict_are_those_that_reports_are_about(
    tmp_path: Path, spans: list[tuple[int, int]], messages: int, words: str
):
    """Two reports a fortnight apart are two days, and one about one day is a day, however long ago it came."""
    reports = [
        (
            "dmarc",
            wire.dmarc(
                f"r-{n}",
                reporter=f"r{n % 2}.test",
                records=[wire.record(messages)],
                begin=seconds(begin),
                end=seconds(end) - 1,
            ),
        )
        for n, (begin, end) in enumerate(spans)
    ]
    take_in(tmp_path / "h.sqlite3", reports)

    assert words in " ".join(call(tmp_path / "h.sqlite3", "summary", "example.test").stdout.split())


def test_a_summary_counts_in_the_singular(tmp_path: Path):
    """One report about one day, in a window of one day."""
    take_in(tmp_path / "h.sqlite3", [("dmarc", wire.dmarc(begin=seconds(7), end=seconds(6)))])
    day = f"{now() - timedelta(days=7):%Y-%m-%d}"

    shown = call(tmp_path / "h.sqlite3", "summary", "example.test", "--days", "1").stdout

    assert f"1 DMARC report, about {day}\n" in shown
    assert "Failing sources in the last day: none" in shown
    assert "1 days" not in shown
