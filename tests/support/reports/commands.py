"""Report commands, called in this process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from exporter.cli.reports.command import reports_app

COMMAND = "from exporter.cli.reports.command import reports_app; reports_app()"
"""What a Python started in `ROOT` has to execute."""


def call(path: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> Result:
    """One command against the history at *path*."""
    command = [*arguments, "--store", str(path)]
    return CliRunner().invoke(reports_app, command, env={"COLUMNS": "200", **(environ or {})})


def answer(path: Path, *arguments: str) -> Any:
    """The JSON of one command that must succeed."""
    result = call(path, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)
