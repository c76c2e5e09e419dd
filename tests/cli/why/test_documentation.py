"""The commands that the documentation gives to operators do what it says, with the history of either generation."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exporter.answers.fate import EXIT_STATUS, Fate
from exporter.cli.main import app
from tests.support.paths import ROOT
from tests.support.replays.told import keep_recent
from tests.support.replays.trail import FOLDERS

DOCS = ROOT / "docs"
COMMAND = re.compile(r"^stalwart-exporter ((?:why|trail) [^|#\n]+)", re.MULTILINE)
CASES = ("sub-deferred", "sub-rejected-dsn", "in-unknown")
DEFERRED = {"ops-0.15.5": "343416572483764697", "ops-0.16.18": "343416577344958976"}
"""The deferred message of each recording, by the decimal id in its log."""


def pages() -> list[Path]:
    """Every page with such a command."""
    return [page for page in sorted(DOCS.rglob("*.md")) if list(commands(page))]


def commands(page: Path) -> Iterator[list[str]]:
    """The arguments of each command in the code blocks of *page*."""
    for block in re.findall(r"```(?:sh|console)\n(.*?)```", page.read_text(), re.DOTALL):
        for match in COMMAND.finditer(block):
            yield shlex.split(match[1])


@pytest.fixture(scope="module", params=FOLDERS)
def history(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A history with deferred, failed and refused mail, and the id of a deferred message."""
    path = tmp_path_factory.mktemp("pages") / "h.sqlite3"
    keep_recent(path, request.param, CASES)
    return path, DEFERRED[request.param]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_every_command_of_a_page_answers(history: tuple[Path, str], page: Path):
    """About a domain, an id or a time as the page has them; the age in a page is not that of a recording."""
    path, id_ = history
    known = {
        "${DOMAIN:?}": "defer.test",
        "${ID:?}": id_,
        "user@example.org": "d@defer.test",
        "1h": "3650d",
        "6h": "3650d",
        "343416572483764697": id_,
    }
    for arguments in commands(page):
        given = [known.get(argument, argument) for argument in arguments]
        environ = {"STALWART_EXPORTER_STORE_PATH": str(path)}

        result = CliRunner().invoke(app, [*given, *(["--offline"] if given[0] == "why" else [])], env=environ)

        assert result.exit_code in {0, *EXIT_STATUS.values()}, (arguments, result.output)
        if "a267aec8@example.test" not in "".join(given):
            assert result.exit_code != EXIT_STATUS[Fate.NOT_FOUND], (arguments, result.output)
            assert "No messages." not in result.stdout


def test_the_delivery_runbooks_ask_why():
    """As an early step: before anything is typed against the server's own interface."""
    asking = {page.stem for page in pages() if page.parent.name == "runbooks"}

    assert asking >= {
        "StalwartDeliveriesStalled",
        "StalwartDeliveryFailureRatio",
        "StalwartDeliverySloBurn",
        "StalwartDestinationDeferring",
        "StalwartQueueBacklog",
        "StalwartQueueOldestMessage",
    }


def test_every_exit_status_is_documented():
    """In the page and in the help."""
    page = (DOCS / "why.md").read_text()
    listed = {int(number) for number in re.findall(r"^\| ([0-9]) \|", page, re.MULTILINE)}
    text = CliRunner().invoke(app, ["why", "--help"]).stdout

    assert listed == {1, 2, *EXIT_STATUS.values()}
    assert all(f"{number} " in text for number in listed)
