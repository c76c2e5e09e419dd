"""`webhook` prints settings that a server accepts, and that post no secrets."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from exporter.model.server import Generation
from exporter.stalwart.events.names import canonical_event
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS
from exporter.stalwart.webhooks.subscription import FORBIDDEN_SUFFIXES, LEFT_OUT, subscription

KEY = "k'e\"y"
CONFIG = f"""
[webhooks]
listen = "0.0.0.0:9788"
[[servers]]
name = "mx1"
url = "https://mx1.example.test"
username = "watcher"
password = "lab-watcher-secret"
[servers.webhook]
secret = {json.dumps(KEY)}
"""


def printed(directory: Path, *arguments: str, config: str = CONFIG) -> subprocess.CompletedProcess[str]:
    """Runs the command."""
    path = directory / "config.toml"
    path.write_text(config)
    path.chmod(0o600)
    command = [sys.executable, "-m", "exporter", "webhook", "--config", str(path), *arguments]
    return subprocess.run(command, text=True, capture_output=True, timeout=120, check=False)


def bodies(text: str) -> list[Any]:
    """The request bodies of the printed commands."""
    return [json.loads(body) for body in re.findall(r"<<'END'\n(.*)\nEND$", text, re.MULTILINE)]


def test_the_settings_of_the_rest_generation(tmp_path: Path):
    """The request and the file have the same settings, with exact names only."""
    ended = printed(tmp_path, "--generation", "rest", "--show-key", "--url", "http://10.0.0.1:9788/webhooks/mx1")

    assert ended.returncode == 0, ended.stderr
    (insert,) = bodies(ended.stdout)[0]
    values = dict(insert["values"])
    events = [value for key, value in values.items() if ".events." in key]
    assert events == list(subscription(Generation.REST))
    assert values["webhook.exporter.url"] == "http://10.0.0.1:9788/webhooks/mx1"
    assert values["webhook.exporter.signature-key"] == KEY
    hook = tomllib.loads(ended.stdout[ended.stdout.index("\n[webhook.") :])["webhook"]["exporter"]
    assert hook == {
        "url": values["webhook.exporter.url"],
        "signature-key": KEY,
        "throttle": values["webhook.exporter.throttle"],
        "events": events,
    }


def test_the_settings_of_the_jmap_generation(tmp_path: Path):
    """The object includes its list, whose default would be everything, and is put to work by a reload."""
    ended = printed(tmp_path, "--generation", "jmap", "--name", "another")

    assert ended.returncode == 0, ended.stderr
    create, reload = (body["methodCalls"][0] for body in bodies(ended.stdout))
    hook = create[1]["create"]["another"]
    assert hook["eventsPolicy"] == "include"
    assert sorted(hook["events"]) == list(subscription(Generation.JMAP))
    assert set(hook["events"].values()) == {True}
    assert hook["url"] == "http://EXPORTER-HOST:9788/webhooks/mx1"
    assert KEY not in ended.stdout
    assert reload[1]["create"]["reload"] == {"@type": "ReloadSettings"}


@pytest.mark.parametrize("generation", [Generation.REST, Generation.JMAP])
def test_the_list_is_exact_and_has_everything_that_decides_an_outcome(generation: Generation):
    """No pattern, nothing that contains secrets, only names that some release has."""
    names = subscription(generation)

    assert len(names) == len(set(names)) > 80
    assert not [name for name in names if "*" in name or name.endswith(FORBIDDEN_SUFFIXES)]
    current = {canonical_event(name) for name in names}
    assert None not in current
    lacking = FOLLOWED_EVENTS - LEFT_OUT - current
    assert lacking == (set() if generation is Generation.JMAP else {"dane.bogus-dnssec-record"})


@pytest.mark.parametrize(
    ("arguments", "config", "words"),
    [
        (("--generation", "soap"), CONFIG, "must be rest or jmap"),
        (("--generation", "rest", "--name", "a b"), CONFIG, "letters, digits and hyphens"),
        (("--generation", "rest", "--server", "mx2"), CONFIG, "no server has the name mx2"),
        (("--generation", "rest"), CONFIG.partition("[servers.webhook]")[0], "has no webhook"),
    ],
)
def test_what_cannot_be_printed_is_said(tmp_path: Path, arguments: tuple[str, ...], config: str, words: str):
    """Exit status 2, and what is wrong."""
    ended = printed(tmp_path, *arguments, config=config)

    assert ended.returncode == 2
    assert words in ended.stderr
    assert not ended.stdout
