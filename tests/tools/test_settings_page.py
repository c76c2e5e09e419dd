"""The reference page and the models agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from exporter.settings import load_settings
from exporter.settings.describe import accepted_in_words, as_toml, global_keys, server_keys
from exporter.settings.environment import variable_name
from tests.support.settings.configuration import CERTIFICATE, MINIMAL, load_text, write_private
from tools.settings_page import EXAMPLE, PAGE, main, render

KEYS = [*global_keys(), *server_keys()]
WITH_DEFAULT = [key for key in server_keys() if not key.field.is_required() and key.field.default not in (None, "")]
NAMES = [".".join(key.path) for key in KEYS]


def test_the_page_is_up_to_date():
    """Whoever changes a model renders the page anew."""
    assert PAGE.read_text(encoding="utf-8") == render()
    assert main(["--check"]) == 0


def test_a_stale_page_fails_the_check(tmp_path, capsys):
    """The check notices a difference and says how to mend it; writing mends it."""
    page = tmp_path / "configuration.md"
    page.write_text(render() + "x", encoding="utf-8")

    codes = [main(["--check"], page), main(["--write"], page), main(["--check"], page)]

    assert codes == [1, 0, 0]
    assert "--write" in capsys.readouterr().err


def test_the_page_is_checked_from_the_command_line(tmp_path):
    """``python -m tools.settings_page --check`` runs without a warning."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tools.settings_page", "--check"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("key", KEYS, ids=NAMES)
def test_every_key_is_explained(key):
    """Each key has a row with its variable, a description of its own and words for what it accepts."""
    row = next(line for line in render().splitlines() if f"`{variable_name(key.path)}`" in line and line[0] == "|")

    assert row.startswith(f"| `{key.path[-1]}` |")
    assert key.field.description is not None
    assert key.field.description.endswith(".")
    assert accepted_in_words(key.field)


@pytest.mark.parametrize("key", WITH_DEFAULT, ids=lambda key: ".".join(key.path))
def test_every_default_on_the_page_can_be_written_into_the_file(key, tmp_path):
    """A default as shown is accepted and changes nothing."""
    line = f"{'.'.join(key.path)} = {as_toml(key.field, key.field.default)}\n"

    assert load_text(tmp_path, MINIMAL + line).servers == load_text(tmp_path, MINIMAL).servers


def test_no_two_keys_share_a_variable():
    """Keys of the server stand beside the tables without clashing."""
    names = [variable_name(key.path) for key in KEYS]

    assert len(names) == len(set(names))


def test_the_example_of_the_page_loads(tmp_path):
    """What people copy works."""
    for name in ("watcher", "prometheus", "mx2-token"):
        write_private(tmp_path / name, "s3cret\n")
    write_private(tmp_path / "private-ca.pem", CERTIFICATE)
    text = EXAMPLE.replace("/run/secrets/", f"{tmp_path}/").replace("/etc/ssl/", f"{tmp_path}/")

    settings = load_text(tmp_path, text)

    assert [server.name for server in settings.servers] == ["mx1", "mx2"]
    assert EXAMPLE in render()


def test_the_command_line_of_the_page_works(tmp_path):
    """The variables of the shell example make a server."""
    example = re.search(r"```sh\n(.*)```", render(), re.DOTALL)
    token = write_private(tmp_path / "token", "s3cret")
    assert example is not None
    pairs = [word.split("=", 1) for word in example[1].split() if "=" in word]

    environ = {name: value.replace("/run/secrets/token", os.fspath(token)) for name, value in pairs}

    assert load_settings(None, environ, default_path=tmp_path / "absent.toml").servers[0].name == "mx1.example.org"
