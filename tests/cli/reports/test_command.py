"""`stalwart-exporter reports`: tables for people, JSON for programs, statuses for scripts."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exporter.cli.reports.command import reports_app
from exporter.store.schema import MIGRATIONS
from exporter.store.store import Store
from tests.support.paths import ROOT
from tests.support.reports import wire
from tests.support.reports.commands import COMMAND, answer, call
from tests.support.reports.history import now, ordinary, seconds, take_in
from tests.support.rigs.reports import query, rig
from tests.support.servers.reports import ReportServer, serving


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ([], 93),
        (["--domain", "EXAMPLE.test."], 92),
        (["--domain", "bücher.test"], 1),
        (["--domain", "xn--bcher-kva.test"], 1),
        (["--domain", "other.test"], 1),
        (["--kind", "tls"], 1),
        (["--kind", "arf", "--result", "auth-failure"], 1),
        (["--result", "abuse"], 0),
        (["--reporter", "QUIET"], 30),
        (["--kind", "dmarc", "--result", "failed"], 60),
        (["--result", "failure", "--kind", "tls"], 1),
        (["--server", "mx1"], 93),
        (["--server", "mx2"], 0),
        (["--since", "10d", "--until", "5d", "--kind", "dmarc"], 5),
        (["--limit", "7"], 7),
    ],
)
def test_list_shows_what_the_filters_ask_for(history: Path, options: Sequence[str], count: int):
    """Each filter by itself and together, domains in any spelling."""
    rows = answer(history, "list", "--limit", "1000", *options)

    assert len(rows) == count
    assert rows == sorted(rows, key=lambda row: (row["received_at"], row["id"]), reverse=True)


def test_list_knows_the_rejected_ones_and_show_prints_them(history: Path):
    """With the reason, and with the raw answer."""
    rows = answer(history, "list", "--rejected")
    whole = answer(history, "show", f"rejected-{rows[0]['id']}")
    raw = call(history, "show", f"rejected-{rows[0]['id']}", "--raw")

    assert [row["reason"] for row in rows] == ["data.report.record[0].row.count: Expected `int` >= 0"]
    assert json.loads(whole["raw"])["data"]["report"]["report_metadata"]["report_id"] == "bad"
    assert json.loads(raw.stdout) == json.loads(whole["raw"])


@pytest.mark.parametrize("kind", ["dmarc", "tls", "arf"])
def test_show_prints_a_report_whole(history: Path, kind: str):
    """The raw answer, the JSON and the table are about the same report."""
    id_ = str(answer(history, "list", "--kind", kind, "-n", "1")[0]["id"])

    whole = answer(history, "show", id_)
    raw = json.loads(call(history, "show", id_, "--raw").stdout)["data"]["report"]
    table = call(history, "show", id_)

    assert whole["kind"] == kind
    assert table.exit_code == 0
    if kind == "dmarc":
        assert whole["records"][0]["source_ip"] == raw["record"][0]["row"]["source_ip"]
        assert whole["records"][0]["auth_results"][1] == {
            "method": "spf",
            "domain": "example.test",
            "detail": "mfrom",
            "result": "pass",
            "human_result": "",
        }
        assert whole["policy"] == "none"
    elif kind == "tls":
        assert [detail["result"] for detail in whole["policies"][0]["details"]] == [
            "certificate-expired",
            "starttls-not-supported",
        ]
        assert "certificate-expired" in table.stdout
    else:
        assert (whole["feedback_type"], whole["auth_failure"]) == ("auth-failure", "spf")
        assert "auth-failure" in table.stdout


@pytest.mark.parametrize("id_", ["999999", "rejected-999999", "1e3", "9" * 30, "\x1b[31m"])
def test_show_says_when_there_is_no_such_report(history: Path, id_: str):
    """Status 3, and a line on standard error."""
    result = call(history, "show", id_)

    assert result.exit_code == 3
    assert "there is no" in result.stderr
    assert "\x1b" not in result.stderr


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
    old = wire.dmarc("old", records=[wire.record(0)], p=policy, begin=seconds(40), end=seconds(39))
    new = wire.dmarc("new", records=records, p=policy, begin=seconds(2), end=seconds(1))
    take_in(tmp_path / "h.sqlite3", [("dmarc", old), ("dmarc", new)])

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
        ([(7, 6)], 4, "4 messages over 1 day; needs at least 100 messages over 14 days."),
        ([(25, 24)], 1, "1 message over 1 day;"),
        ([(25, 24)], 1000, "1 000 messages over 1 day;"),
        ([(9, 8), (4, 3)], 2, "4 messages over 6 days;"),
        ([(13, 12), (1, 0)], 1000, "2 000 messages over 13 days;"),
        ([(14, 13), (1, 0)], 1000, "Ready for p=reject"),
        ([(50, 49)], 1000, "0 messages over 0 days;"),
    ],
)
def test_the_days_of_a_verdict_are_those_that_reports_are_about(
    tmp_path: Path, spans: list[tuple[int, int]], messages: int, words: str
):
    """One report about one day is a day, however long ago it came."""
    reports = [
        ("dmarc", wire.dmarc(f"r-{n}", records=[wire.record(messages)], begin=seconds(begin), end=seconds(end) - 1))
        for n, (begin, end) in enumerate(spans)
    ]
    take_in(tmp_path / "h.sqlite3", reports)

    assert words in call(tmp_path / "h.sqlite3", "summary", "example.test").stdout


def test_a_summary_counts_in_the_singular(tmp_path: Path):
    """One report about one day, in a window of one day."""
    take_in(tmp_path / "h.sqlite3", [("dmarc", wire.dmarc(begin=seconds(7), end=seconds(6)))])
    day = f"{now() - timedelta(days=7):%Y-%m-%d}"

    shown = call(tmp_path / "h.sqlite3", "summary", "example.test", "--days", "1").stdout

    assert f"1 DMARC report, about {day}\n" in shown
    assert "Failing sources in the last day: none" in shown
    assert "1 days" not in shown


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


def test_prune_asks_tells_and_deletes(tmp_path: Path):
    """Without a yes nothing goes; afterwards windows and tables agree, and nothing is fetched again."""
    path = tmp_path / "h.sqlite3"
    take_in(path, ordinary())

    dry = answer(path, "prune", "--older-than", "0s", "--dry-run")
    refused = call(path, "prune", "--older-than", "0s")
    some = answer(path, "prune", "--older-than", "0s", "--domain", "bücher.test", "--yes")
    rest = answer(path, "prune", "--older-than", "0s", "--yes")

    assert (dry["reports"], dry["rejected"]) == (93, 1)
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    assert (some["reports"], some["rejected"]) == (1, 0)
    assert (rest["reports"], rest["rejected"]) == (92, 1)
    for table in ("report", "report_raw", "dmarc_record", "dmarc_day", "dmarc_reporter", "tls_policy", "arf_feedback"):
        assert query(path, f"SELECT count(*) FROM {table}") == [(0,)]  # noqa: S608
    assert query(path, "SELECT count(*) FROM seen") == [(94,)]


def test_status_says_what_there_is_and_what_is_left(history: Path):
    """One line a kind; waiting ends at once when nothing is left."""
    rows = answer(history, "status", "--wait")

    assert [(row["kind"], row["reports"], row["rejected"], row["left"]) for row in rows] == [
        ("arf", 1, 0, 0),
        ("dmarc", 91, 1, 0),
        ("tls", 1, 0, 0),
    ]
    assert call(history, "status").exit_code == 0


def test_questions_are_answered_while_the_daemon_writes(tmp_path: Path):
    """Readers neither wait for the writer nor hold it up, and see whole transactions."""
    path = tmp_path / "h.sqlite3"

    async def act(url: str) -> tuple[int, int, int]:
        async with rig(url, path) as life:
            await life.run()

            def meanwhile(connection: sqlite3.Connection) -> tuple[int, int]:
                connection.execute("DELETE FROM report")
                return len(answer(path, "list")), call(path, "prune", "--older-than", "0s", "--dry-run").exit_code

            during, locked = await life.store.write(meanwhile)
            return during, len(answer(path, "list")), locked

    server = ReportServer()
    server.add("dmarc", wire.report_id(now()), wire.body(wire.dmarc()))
    with serving(server) as url:
        assert asyncio.run(act(url)) == (1, 0, 0)


@pytest.mark.parametrize("damage", ["missing", "folder", "garbage", "older", "newer"])
def test_a_history_that_cannot_be_read_is_one_line_and_status_1(tmp_path: Path, damage: str):
    """Not a traceback, and nothing is created or changed."""
    path = tmp_path / "h.sqlite3"
    if damage == "folder":
        path.mkdir()
    elif damage == "garbage":
        path.write_bytes(os.urandom(9000))
    elif damage in ("older", "newer"):
        connection = sqlite3.connect(path)
        connection.execute(f"PRAGMA user_version={1 if damage == 'older' else 99}")
        connection.close()
    before = sorted(tmp_path.iterdir())

    for command in (["list"], ["show", "1"], ["top", "sources"], ["summary", "a.test"], ["export"], ["status"]):
        result = call(path, *command)

        assert result.exit_code == 1, command
        assert len(result.stderr.strip().splitlines()) == 1
        assert result.exception is None or isinstance(result.exception, SystemExit)
    assert sorted(tmp_path.iterdir()) == before


def test_a_history_in_a_folder_without_write_permission_is_read():
    """As it stands after the daemon has ended, by somebody who may only read."""
    everything = "from exporter.cli.reports import command, listing, options, text"
    nobody = "import os; os.setuid(65534)" if os.geteuid() == 0 else ""
    script = f"{everything}\nimport sqlite3, exporter.store.reports.reading\n{nobody}\ncommand.reports_app()"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "h.sqlite3"
        take_in(path, [("arf", wire.arf())])
        path.chmod(0o444)
        folder.chmod(0o555)

        result = subprocess.run(
            [sys.executable, "-c", script, "list", "--json", "--store", str(path)],
            cwd=ROOT,
            capture_output=True,
            check=False,
            text=True,
        )
        folder.chmod(0o755)

    assert result.returncode == 0, result.stderr
    assert len(json.loads(result.stdout)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "--kind", "spam"],
        ["list", "--since", "yesterday"],
        ["list", "--domain", "not a domain"],
        ["list", "--result", "great"],
        ["top", "everything"],
        ["top", "sources", "--kind", "tls"],
        ["summary", "not a domain"],
        ["export", "--format", "xml"],
        ["prune", "--older-than", "long ago"],
    ],
)
def test_wrong_options_are_status_2(history: Path, arguments: Sequence[str]):
    """With a word about what is right."""
    assert call(history, *arguments).exit_code == 2


def test_the_history_is_found_through_configuration_and_environment(tmp_path: Path, history: Path):
    """Without reading any server's secrets."""
    config = tmp_path / "config.toml"
    config.write_text(
        f'[store]\npath = "{history}"\n[[servers]]\nurl = "https://a.test"\npassword_file = "/nonexistent"\n'
    )
    runner = CliRunner()

    by_file = runner.invoke(reports_app, ["status", "--json", "--config", str(config)])
    by_environment = runner.invoke(
        reports_app, ["status", "--json"], env={"STALWART_EXPORTER_STORE_PATH": str(history)}
    )

    assert by_file.exit_code == by_environment.exit_code == 0
    assert json.loads(by_file.stdout) == json.loads(by_environment.stdout)


def test_every_command_says_what_it_does():
    """`--help` of each."""
    for command in ("list", "show", "top", "summary", "export", "prune", "status"):
        result = CliRunner().invoke(reports_app, [command, "--help"])

        assert result.exit_code == 0
        assert "--json" in result.stdout


def test_reports_are_there_for_each_release_that_made_the_file(tmp_path: Path):
    """A file of the first schema is brought up to date with its tallies kept."""
    path = tmp_path / "h.sqlite3"
    connection = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        connection.execute(statement)
    connection.execute("INSERT INTO tally VALUES ('mx1', 'events', '[\"a.b\"]', 7)")
    connection.execute("PRAGMA user_version=1")
    connection.commit()
    connection.close()

    async def open_it() -> dict[Any, int]:
        store = await Store.open(path, now=now())
        tallies = await store.load_tallies("mx1")
        await store.aclose()
        return tallies

    assert asyncio.run(open_it()) == {("events", ("a.b",)): 7}
    assert call(path, "list").exit_code == 0
    assert io.StringIO(call(path, "list").stdout).readline() == "No reports.\n"
