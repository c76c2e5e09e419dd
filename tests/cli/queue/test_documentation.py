"""The commands of the runbooks and of docs/queue.md do what the pages say, on every kind of release."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from exporter.simulator import World
from tests.support.paths import ROOT
from tests.support.queue_commands import SENDER, site
from tests.support.rigs.operator import deferred

DOCS = ROOT / "docs"
COMMAND = re.compile(r"^stalwart-exporter queue ([^|#\n]+)", re.MULTILINE)
VERSIONS = ("0.15.5", "0.16.18")

APPLIED, NOT_APPLIED = 0, 4


def commands(page: Path) -> list[str]:
    """The commands in the shell blocks of a page."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [match[1].strip() for block in blocks for match in COMMAND.finditer(block)]


PAGES = [page for page in (DOCS / "queue.md", *sorted((DOCS / "runbooks").glob("*.md"))) if commands(page)]


def filled(command: str, values: dict[str, str]) -> list[str]:
    """The arguments, with what the page asks one to set."""
    for name, value in values.items():
        command = command.replace('"${' + name + ':?}"', shlex.quote(value))
    assert "$" not in command
    return shlex.split(command)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_works(tmp_path: Path, page: Path, version: str) -> None:
    """A retry is reported as not applied on the releases that ignore it, and as applied elsewhere."""
    with site(tmp_path, version, deferred(["one@defer.test"], ["two@defer.test"], ["three@example.net"])) as made:
        if page.stem == "StalwartQueuePaused":
            made.server.call(World.pause_queue)
        for command in commands(page):
            id_ = made.ids()[0] if made.ids() else "1"
            values = {"ID": id_, "ADDRESS": SENDER, "DOMAIN": "defer.test"}
            arguments = [part.replace("example.net", "defer.test") for part in filled(command, values)]
            changes = arguments[0] in ("retry", "cancel", "resume")
            done = made.queue(*arguments, *(["--yes"] if changes else []))

            ignored = arguments[0] == "retry" and version == "0.15.5"
            assert done.returncode == (NOT_APPLIED if ignored else APPLIED), (command, done.stdout, done.stderr)
            assert done.stdout


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("StalwartQueuePaused", "resume"),
        ("StalwartQueueStuck", "retry"),
        ("StalwartQueueExpired", "retry"),
        ("StalwartQueueOldestMessage", "cancel"),
        ("StalwartQueueBacklog", "cancel"),
        ("StalwartDestinationDeferring", "retry"),
    ],
)
def test_the_command_comes_before_the_requests_by_hand(name: str, word: str) -> None:
    """At three in the morning the first one is taken."""
    text = (DOCS / "runbooks" / f"{name}.md").read_text()

    first = text.index(f"stalwart-exporter queue {word}")
    assert "api_admin" not in text[:first]
    assert "jmap_admin" not in text[:first]


def test_a_command_without_its_value_is_not_run() -> None:
    """The shell refuses an empty one; what names a message or an address says so."""
    needing = [command for page in PAGES for command in commands(page) if re.search(r"[A-Z]{2,}", command)]

    assert needing
    assert all(re.search(r'"\$\{[A-Z]+:\?\}"', command) for command in needing)
