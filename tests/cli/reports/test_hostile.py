"""What strangers write in reports breaks no table, no label, no file and no terminal."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from rich.cells import cell_len
from typer.testing import CliRunner

from exporter.cli.reports.command import reports_app
from exporter.collectors.exposition import Exposition, Format
from exporter.printable import SHOWN_LENGTH, harmless
from tests.support.commands import run_command
from tests.support.reports.history import take_in
from tests.support.reports.hostile import TEXTS, reports
from tests.support.rigs.reports import check_sums, query, rig
from tests.support.servers.reports import ReportServer, serving

OTHER_CELLS_LENGTH = 80
"""More than the ids, dates and numbers of a row take together, with the blanks between columns."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history that strangers wrote."""
    path = tmp_path_factory.mktemp("hostile") / "h.sqlite3"
    take_in(path, reports())
    return path


def output(history: Path, *arguments: str) -> str:
    """What a command prints, on both streams."""
    result = CliRunner().invoke(reports_app, [*arguments, "--store", str(history)])
    assert result.exit_code in (0, 3), (arguments, result.output, result.exception)
    return str(result.output)


def check_terminal(text: str) -> None:
    """Only what can be seen, blanks and line ends; no line runs on for ever."""
    assert all(c.isprintable() or c == "\n" for c in text), sorted({c for c in text if not c.isprintable()})
    assert "\u0301" * 10 not in text


def test_hostile_reports_are_taken_and_counted_like_others(history: Path):
    """Those about no domain are rejected; the others stand in the tables, cut to a bound."""
    check_sums(history)
    kinds = dict(query(history, "SELECT kind, count(*) FROM report GROUP BY kind"))
    assert (kinds["tls"], kinds["arf"]) == (len(TEXTS), len(TEXTS))
    rejected = query(history, "SELECT DISTINCT reason FROM report_rejected WHERE kind = 'dmarc'")
    assert rejected == [("data.report.policy_published.domain: not a domain name",)]
    assert query(history, "SELECT max(length(reporter)), max(length(report_id)) FROM report") == [(1000, 1000)]
    assert query(history, "SELECT max(length(human_result)) FROM dmarc_auth") == [(1000,)]


@pytest.mark.parametrize(
    ("texts", "arguments"),
    [
        (2, ["list", "-n", "1000"]),
        (3, ["list", "--kind", "arf", "-n", "1000"]),
        (1, ["list", "--rejected"]),
        (1, ["top", "sources"]),
        (1, ["top", "reporters", "--window", "all", "-n", "1000"]),
        (1, ["top", "domains"]),
        (1, ["summary", "example.test"]),
        (0, ["status"]),
    ],
)
def test_no_command_prints_what_a_terminal_would_obey(history: Path, texts: int, arguments: list[str]):
    """Tables keep their lines and columns, markup of strangers is text, and each of their texts is cut."""
    table = output(history, *arguments)
    dumped = output(history, *arguments, "--json")

    check_terminal(table)
    # Nothing is folded in a pipe, so only the cells bound a line: those of strangers by `SHOWN_LENGTH` each, while
    # the others hold ids, dates and numbers.
    assert max(map(len, table.splitlines())) <= texts * SHOWN_LENGTH + OTHER_CELLS_LENGTH
    assert dumped.isascii()
    check_terminal(dumped)
    json.loads(dumped)


@pytest.mark.parametrize("columns", [80, 240])
@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "-n", "1000"],
        ["show", "1"],
        ["summary", "example.test"],
        ["top", "reporters", "--window", "all", "-n", "1000"],
    ],
    ids=" ".join,
)
def test_a_given_width_bounds_every_line_of_a_pipe(history: Path, arguments: list[str], columns: int):
    """With COLUMNS set, a table that is wider is folded to that width and cut nowhere."""
    command = ("reports", *arguments, "--store", str(history))
    folded = run_command(history.parent, *command, environ={"COLUMNS": str(columns)})
    whole = run_command(history.parent, *command)

    assert (folded.returncode, whole.returncode) == (0, 0), folded.stderr + whole.stderr
    assert max(map(cell_len, folded.stdout.splitlines())) <= columns
    assert sorted("".join(folded.stdout.split())) == sorted("".join(whole.stdout.split()))


def test_every_report_can_be_shown(history: Path):
    """Table, JSON and raw of each, rejected ones too."""
    ids = [str(row[0]) for row in query(history, "SELECT id FROM report")]
    rejected = [f"rejected-{row[0]}" for row in query(history, "SELECT id FROM report_rejected")]
    for id_ in [*ids, *rejected]:
        for option in ([], ["--json"], ["--raw"]):
            check_terminal(output(history, "show", id_, *option))


def test_markup_of_strangers_is_shown_and_not_obeyed(history: Path):
    """Brackets and backslashes come out as they went in."""
    table = output(history, "top", "reporters", "--window", "all", "-n", "1000")

    assert "[red]bold[/red]" in table
    assert "\\[bold]x\\\\[blink]y" in table


def test_exports_are_exact_in_json_and_tame_in_csv(history: Path):
    """JSON says what was written; CSV has one line a record, and no formula."""
    whole = json.loads(output(history, "export"))
    text = output(history, "export", "--format", "csv")

    names = {report["reporter"] for report in whole}
    assert TEXTS[0] in names
    assert "\x1b[2J\x1b[31mred\x1b]0;title\x07" in names
    check_terminal(text)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(text.splitlines()) - 1
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_labels_are_short_printable_and_parse_everywhere(history: Path):
    """Both formats are read by the official parsers, and no stranger adds a series of another family."""

    async def expose(url: str) -> tuple[str, str]:
        async with rig(url, history, max_domains=100) as life:
            await life.run()
            exposition = Exposition(extra=lambda fmt: b"", monotonic=lambda: 0.0)
            exposition.add(life.source, server="mx1")
            exposition.build()
            text, openmetrics = (exposition.exposition(fmt, False)[0].decode() for fmt in Format)
            return text, openmetrics

    with serving(ReportServer()) as url:
        text, openmetrics = asyncio.run(expose(url))

    for parse, document in ((parse_text, text), (parse_openmetrics, openmetrics)):
        samples = [sample for family in parse(document) for sample in family.samples]
        assert len(samples) > 20
        for sample in samples:
            assert re.match(r"stalwart_(reports|dmarc|tls_report|arf)_", sample.name)
            assert sample.labels["server"] == "mx1"
            for value in sample.labels.values():
                assert value.isprintable()
                assert len(value) <= 64
                assert not re.search(r"@|\d+\.\d+\.\d+\.\d+", value)
    assert 'disposition="unknown",dkim="unknown",spf="unknown"' in text


@given(st.text(max_size=300))
def test_any_text_is_made_harmless(text: str):
    """Printable, bounded, and unchanged where there was nothing wrong."""
    shown = harmless(text)

    assert shown.isprintable()
    assert len(shown) <= 200
    if text.isprintable() and text.isascii() and len(text) <= 200:
        assert shown == text
