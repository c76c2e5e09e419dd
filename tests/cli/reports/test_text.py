"""The tables of `stalwart-exporter reports`: complete, readable on an ordinary terminal, with their totals."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.reports import wire
from tests.support.reports.commands import COMMAND, answer, call
from tests.support.reports.history import seconds, take_in


def test_a_list_of_feedback_says_whom_it_is_about(history: Path):
    """Who sent the message, and from where."""
    _, feedback, _, *about = call(history, "list", "--kind", "arf").stdout.splitlines()[1].split()

    assert (feedback, about) == ("auth-failure", ["<alice@example.test>", "192.0.2.3", "reporter.test"])


def test_tables_say_how_much_they_leave_out(history: Path):
    """The lines shown, those that there are, and what they come to."""
    assert call(history, "list", "-n", "7").stdout.endswith("\n7 of 93 reports (--limit shows more)\n")
    assert call(history, "list").stdout.endswith("50 of 93 reports (--limit shows more)\n")
    assert call(history, "list", "--rejected").stdout.endswith("\n1 rejected report\n")
    assert "2 reporters; 93 reports in total.\n" in call(history, "top", "reporters", "--window", "all").stdout
    assert "1 failing domain; 207 failed messages in total (window 7d)." in call(
        history, "top", "domains", "--window", "7d"
    ).stdout.replace("\n", " ")
    assert "No sources (window 1s)." in call(history, "top", "sources", "--window", "1s").stdout
    assert "93 reports, 1 rejected, 0 still to fetch." in call(history, "status").stdout


@pytest.mark.parametrize("command", ["list", "top sources", "top reporters", "top domains", "summary example.test"])
def test_numbers_and_dates_are_never_folded_on_an_ordinary_terminal(history: Path, command: str):
    """What folds is a name, in its own column."""
    script = [sys.executable, "-c", COMMAND, *command.split(), "--store", str(history)]

    table = subprocess.run(
        script, cwd=ROOT, env={**os.environ, "COLUMNS": "80"}, capture_output=True, check=True, text=True
    ).stdout

    assert max(map(len, table.splitlines())) <= 80
    assert re.search(r"\d{4}-\d\d-\d\d", table)
    assert not re.search(r"\d{4}-(\d\d?-?)?\s", table)


def test_list_is_a_table_for_people(history: Path):
    """With what people want to know first, and internationalised names readable."""
    result = call(history, "list", "--kind", "dmarc", "-n", "1")

    assert result.exit_code == 0
    assert "bücher.test (xn--bcher-kva.test)" in result.stdout
    assert "reporter.test" in result.stdout


def test_top_sources_are_by_messages_or_by_failed_ones(history: Path):
    """The window counts, and so does the result asked for."""
    by_messages = answer(history, "top", "sources", "--domain", "example.test")
    by_failures = answer(history, "top", "sources", "--result", "failed", "--window", "7d")
    table = call(history, "top", "sources")

    assert [row["source"] for row in by_messages] == ["192.0.2.1", "2001:db8::bad", "192.0.2.66"]
    assert [(row["source"], row["failed"]) for row in by_failures] == [("2001:db8::bad", 200), ("192.0.2.66", 7)]
    assert "2001:db8::bad" in table.stdout


def test_top_reporters_and_domains_say_who_and_where(history: Path):
    """Reporters by reports of all kinds, domains by failed messages."""
    reporters = answer(history, "top", "reporters", "--window", "all")
    domains = answer(history, "top", "domains", "--window", "7d")

    assert [row["reporter"] for row in reporters] == ["reporter.test", "quiet.test"]
    assert reporters[0]["reports"] == 63
    assert [(row["domain"], row["failed"]) for row in domains] == [("example.test", 5 * 40 + 7)]
    assert call(history, "top", "reporters").exit_code == call(history, "top", "domains").exit_code == 0


def test_top_domains_are_all_that_fail_whichever_report_says_so(tmp_path: Path):
    """Also where other reports about them tell of no failure."""
    path = tmp_path / "h.sqlite3"
    bad = [wire.record(3, dkim="Fail", spf="Fail")]
    reports = [("fails.test", bad), ("fails.test", None), ("also.test", None), ("also.test", bad), ("good.test", None)]
    span = {"begin": seconds(3), "end": seconds(2)}
    take_in(
        path,
        [
            ("dmarc", wire.dmarc(f"r-{number}", domain=domain, records=records, **span))
            for number, (domain, records) in enumerate(reports)
        ],
    )

    rows = answer(path, "top", "domains")

    assert [(row["domain"], row["failed"], row["aligned"]) for row in rows] == [
        ("also.test", 3, 1),
        ("fails.test", 3, 1),
    ]
