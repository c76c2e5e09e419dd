"""`stalwart-exporter reports`: tables for people, JSON for programs, statuses for scripts."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exporter.cli.reports.command import reports_app
from exporter.store.schema import MIGRATIONS
from exporter.store.store import Store
from tests.support.paths import ROOT
from tests.support.reports import wire
from tests.support.reports.commands import answer, call
from tests.support.reports.history import now, take_in
from tests.support.rigs.reports import rig
from tests.support.servers.reports import ReportServer, serving


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
    everything = "from exporter.cli.reports import command, listing, options"
    nobody = "import os; os.setuid(65534)" if os.geteuid() == 0 else ""
    script = f"{everything}\nimport sqlite3, exporter.store.reading\n{nobody}\ncommand.reports_app()"
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
