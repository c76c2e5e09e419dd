"""`stalwart-exporter trail`: lists, one message, exports."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from exporter.cli.main import app
from exporter.cli.trail.export import export
from exporter.model.trail import MessageKind
from exporter.store.reading import reading
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.rows import MessageRow, TrailRows
from tests.support.replays.told import columns_wide, keep_recent
from tests.support.replays.trail import FOLDERS
from tests.support.trails import BEGIN, NOW, new_history, output, write_rows

CASES = ("sub-deferred", "sub-partly-rejected", "in-unknown", "in-greylisted", "in-spam")


@pytest.fixture(scope="module", params=FOLDERS)
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of a few cases, of either generation."""
    path = tmp_path_factory.mktemp("trail") / "h.sqlite3"
    keep_recent(path, request.param, CASES)
    return path


def call(path: Path, *arguments: str) -> Result:
    """One of the commands."""
    return CliRunner().invoke(app, ["trail", *arguments, "--store", str(path)], env={"COLUMNS": "200"})


def listed(path: Path, *arguments: str) -> Any:
    """The JSON of a list."""
    result = call(path, "list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_the_list_has_every_message_newest_first(history: Path):
    """The bounce and the message that caused it are two."""
    found = listed(history)

    assert [one["at"] for one in found] == sorted((one["at"] for one in found), reverse=True)
    assert sorted(one["status"] for one in found) == ["delivered", "delivered", "delivered", "failed", "queued"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--domain", "defer.test"], 1),
        (["--address", "d@defer.test"], 1),
        (["--address", "bob@example.test", "--kind", "incoming"], 2),
        (["--kind", "dsn"], 1),
        (["--result", "failed"], 1),
        (["--result", "deferred", "--domain", "defer.test"], 1),
        (["--since", "1h"], 0),
        (["--until", "30d"], 0),
        (["--server", "mx2"], 0),
        (["--limit", "2"], 2),
        (["--only-domain", "reject.test"], 1),
    ],
)
def test_the_filters_narrow_the_list(history: Path, options: list[str], count: int):
    """Each by itself and together."""
    assert len(listed(history, *options)) == count


def test_refusals_are_listed_with_their_reason(history: Path):
    """And can be filtered by it."""
    reasons = sorted(one["reason"] for one in listed(history, "--refused"))

    assert reasons == ["greylisted", "unknown_recipient"]
    assert len(listed(history, "--refused", "--reason", "greylisted")) == 1


@pytest.mark.parametrize(
    "options", [["--refused", "--kind", "dsn"], ["--reason", "spf"], ["--kind", "letter"], ["--result", "lost"]]
)
def test_filters_that_cannot_match_are_usage_errors(history: Path, options: list[str]):
    """Not an empty list, which would look like an answer."""
    assert call(history, "list", *options).exit_code == 2


def test_a_list_says_whether_there_is_more(history: Path):
    """As the list of reports does."""
    assert "2 messages (--limit shows more)" in call(history, "list", "--limit", "2").stdout
    assert "5 messages" in call(history, "list").stdout
    assert "No messages." in call(history, "list", "--server", "mx2").stdout


@pytest.mark.parametrize("columns", [60, 80])
def test_a_list_keeps_every_column_on_a_narrow_terminal(history: Path, columns: int):
    """Cells are folded, not cut."""
    with columns_wide(columns):
        text = call(history, "list", "--domain", "defer.test").stdout

    assert text.count("@") == 2, text
    assert max(len(line) for line in text.splitlines()) <= columns


def test_one_message_is_shown_in_full(history: Path):
    """By any spelling of its id; the JSON is that of the export."""
    id_ = listed(history, "--domain", "defer.test")[0]["queue_id"]
    shown = json.loads(call(history, "show", id_, "--json").stdout)

    assert call(history, "show", shown["queue_id_hex"]).exit_code == 0
    assert "d@defer.test" in call(history, "show", shown["queue_id_jmap"]).stdout
    assert shown in json.loads(call(history, "export").stdout)


def test_an_unknown_id_is_status_3(history: Path):
    """With a hint."""
    result = call(history, "show", "12345")

    assert result.exit_code == 3
    assert "why 12345" in result.stderr


def test_csv_has_a_line_per_recipient(history: Path):
    """And the same columns in each."""
    rows = list(csv.DictReader(io.StringIO(call(history, "export", "--format", "csv").stdout)))

    assert sorted(row["address"] for row in rows if row["sender"] == "alice@example.test") == [
        "bob@example.test",
        "d@defer.test",
        "m@ok.test",
        "m@reject.test",
    ]
    refusals = list(csv.DictReader(io.StringIO(call(history, "export", "--refused", "--format", "csv").stdout)))
    assert sorted(row["reason"] for row in refusals) == ["greylisted", "unknown_recipient"]


def test_an_export_goes_to_a_file_once_it_is_complete(history: Path, tmp_path: Path):
    """One JSON document per line, in this format."""
    target = tmp_path / "trail.jsonl"

    assert call(history, "export", "--format", "jsonl", "--output", str(target)).exit_code == 0

    assert len([json.loads(line) for line in target.read_text().splitlines()]) == 5
    assert list(tmp_path.iterdir()) == [target]


def test_an_export_yields_everything_once_even_if_a_second_is_crowded(tmp_path: Path):
    """More of one second than a query returns."""
    path = tmp_path / "h.sqlite3"
    new_history(path)
    rows = TrailRows()
    for id_ in range(1, 1001):
        rows.messages[id_] = MessageRow(queue_id=id_, at=BEGIN + (id_ > 900), kind=MessageKind.INCOMING)
    write_rows(path, rows)

    with reading(path) as connection:
        text = output(lambda: export(connection, TrailFilter(), refused=False, fmt="jsonl", output=None, now=NOW))

    ids = [int(json.loads(line)["queue_id"]) for line in text.splitlines()]
    assert sorted(ids) == list(range(1, 1001))


def test_the_memory_of_an_export_does_not_grow_with_the_trail(tmp_path: Path):
    """Four times as many messages need less than twice as much."""
    peaks = []
    for count in (500, 2000):
        path = tmp_path / f"{count}.sqlite3"
        new_history(path)
        rows = TrailRows()
        for id_ in range(1, count + 1):
            rows.messages[id_] = MessageRow(queue_id=id_, at=BEGIN + id_, sender=f"a{id_}@one.test")
            rows.recipients[id_, f"b{id_}@two.test"] = ("remote", BEGIN + id_)
        write_rows(path, rows)
        tracemalloc.start()
        with reading(path) as connection:
            export(connection, TrailFilter(), refused=False, fmt="csv", output=tmp_path / "out.csv", now=NOW)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 2 * peaks[0]
