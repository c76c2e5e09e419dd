"""What commands write to a pipe, to a full disk and to nobody."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from exporter.collectors.families import FAMILIES
from tests.support.commands import command_line, environment, run_command

COMMANDS = [
    ("--help",),
    ("--version",),
    ("metrics",),
    ("check-config",),
    ("doctor", "--listen", "0"),
    ("reports", "status"),
    ("trail", "list"),
    ("why", "d@defer.test", "--offline"),
]


@pytest.mark.parametrize("columns", [{}, {"COLUMNS": "80"}], ids=["no width", "80 columns"])
def test_every_metric_stands_whole_on_a_line_of_its_own_in_a_pipe(tmp_path: Path, columns: Mapping[str, str]):
    """Names are neither cut nor folded where another program reads them, however narrow the terminal behind it is."""
    lines = run_command(tmp_path, "metrics", environ=columns).stdout.splitlines()

    assert [line.split()[0] for line in lines[1:]] == [family.name for family in FAMILIES]


def shell(directory: Path, arguments: tuple[str, ...], redirection: str) -> subprocess.CompletedProcess[str]:
    """Runs a command in a shell with its standard output sent elsewhere."""
    return subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", *command_line(*arguments)],
        env={**environment(directory, {}), "STALWART_EXPORTER_LISTEN": "127.0.0.1:1"},
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_reader_that_went_away_is_no_traceback(tmp_path: Path):
    """Every command ends quietly when the pipe it writes to was closed at once."""
    for arguments in COMMANDS:
        ended = shell(tmp_path, arguments, "| true")

        assert "Traceback" not in ended.stderr, (arguments, ended.stderr)
        assert "Exception" not in ended.stderr, (arguments, ended.stderr)


def test_closed_standard_output_is_no_traceback(tmp_path: Path):
    """Every command works without a standard output, as under a supervisor that closes it."""
    for arguments in COMMANDS:
        ended = shell(tmp_path, arguments, ">&-")

        assert "Traceback" not in ended.stderr, (arguments, ended.stderr)


def test_a_full_disk_behind_standard_output_is_one_line(tmp_path: Path):
    """Output that cannot be written ends the command with status 1 and the reason."""
    for arguments in (("--help",), ("metrics",)):
        ended = shell(tmp_path, arguments, "> /dev/full")

        assert ended.returncode == 1, arguments
        assert ended.stderr == f"cannot write the output: {os.strerror(28)}\n", (arguments, ended.stderr)


def test_json_in_a_pipe_is_json(tmp_path: Path):
    """Programs get one document, however wide it is."""
    rows = json.loads(run_command(tmp_path, "metrics", "--json").stdout)

    assert len(rows) == len(FAMILIES)
