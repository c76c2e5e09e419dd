"""The commands that the documentation gives to operators do what it says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exporter.cli.reports.command import reports_app
from tests.support.paths import ROOT

DOCS = ROOT / "docs"
RUNBOOKS = (
    "StalwartArfComplaints",
    "StalwartDmarcFailureSpike",
    "StalwartDmarcReporterSilent",
    "StalwartTlsReportFailures",
)
PAGES = [DOCS / "reports.md", *(DOCS / "runbooks" / f"{name}.md" for name in RUNBOOKS)]
COMMAND = re.compile(r"^(?:\$ )?stalwart-exporter reports ([^|#\n]+)", re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of each command in the code blocks of *page*."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL):
        for match in COMMAND.finditer(block):
            yield shlex.split(match[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_answers(history: Path, tmp_path: Path, page: Path, monkeypatch: pytest.MonkeyPatch):
    """About the domain of the history, and for an id that is there."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    kind = {"StalwartArfComplaints": "arf", "StalwartTlsReportFailures": "tls"}.get(page.stem, "dmarc")
    newest = runner.invoke(reports_app, ["list", "--kind", kind, "--json", "--store", str(history)])
    id_ = str(json.loads(newest.stdout)[0]["id"])
    found = list(commands(page))

    for arguments in found:
        given = (
            ["show", id_] if arguments[0] == "show" else [a.replace("example.org", "example.test") for a in arguments]
        )
        result = runner.invoke(reports_app, [*given, "--store", str(history)])

        assert result.exit_code == 0, (arguments, result.output)
        assert result.stdout or "--output" in arguments, arguments

    assert len(found) >= 2
