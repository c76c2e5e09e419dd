"""`reports export`."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

from tests.support.paths import ROOT
from tests.support.reports.commands import COMMAND, answer, call
from tests.support.rigs.reports import query


def test_exports_in_every_format_hold_the_same_reports(tmp_path: Path, history: Path):
    """JSON and JSON lines whole, CSV a line for each record; a file appears when it is complete."""
    whole = answer(history, "export")
    lines = call(history, "export", "--format", "jsonl")
    target = tmp_path / "out.csv"
    written = call(history, "export", "--format", "csv", "--output", str(target))

    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert written.exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert [json.loads(line) for line in lines.stdout.splitlines()] == whole
    assert len(whole) == 93
    records = [row for row in rows if row["line"] == "record"]
    assert len(records) == sum(len(report["records"]) for report in whole if report["kind"] == "dmarc")
    assert (
        sum(int(row["messages"]) for row in records) == query(history, "SELECT sum(messages) FROM dmarc_record")[0][0]
    )
    assert [row["failure"] for row in rows if row["line"] == "failure"] == [
        "certificate-expired",
        "starttls-not-supported",
    ]
    assert [row["feedback_type"] for row in rows if row["line"] == "feedback"] == ["auth-failure"]


def test_an_export_that_cannot_be_written_leaves_nothing_behind(history: Path, tmp_path: Path):
    """Status 1, and what was there stays."""
    result = call(history, "export", "--output", str(tmp_path / "no" / "such" / "folder.json"))

    assert result.exit_code == 1
    assert "cannot write" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_export_ends_quietly_when_its_reader_does(history: Path):
    """`reports export | head` is no error of ours."""
    command = [sys.executable, "-c", COMMAND, "export", "--store", str(history), "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()

    assert b"Traceback" not in errors
