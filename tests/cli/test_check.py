"""``check-config`` and ``run`` agree on what cannot be used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from exporter.cli.main import app
from tests.support.commands import run_command
from tests.support.settings.configuration import MINIMAL, write_private

Break = Callable[[Path], str]


def _web(content: str) -> Break:
    def make(folder: Path) -> str:
        (folder / "web.yml").write_text(content)
        return f'[web]\nconfig_file = "{folder / "web.yml"}"\n{MINIMAL}'

    return make


def _store(path: str) -> Break:
    return lambda folder: f'[store]\npath = "{path.format(folder=folder)}"\n{MINIMAL}'


BROKEN: dict[str, tuple[Break, str]] = {
    "a missing certificate": (
        _web("tls_server_config: {cert_file: none.pem, key_file: none.key}"),
        "tls_server_config.cert_file",
    ),
    "a bad hash": (_web("basic_auth_users: {prometheus: s3cret}"), "basic_auth_users.prometheus"),
    "a web file that is no YAML": (_web("{"), "not valid YAML"),
    "a store below a file": (_store("{folder}/config.toml/history.sqlite3"), "store.path"),
    "a store in the kernel's folder": (_store("/proc/none/history.sqlite3"), "store.path"),
    "a store that is a folder": (_store("{folder}"), "store.path"),
    "intervals beyond the budget": (
        lambda folder: MINIMAL + "[servers.intervals]\nqueue = 1\n",
        "servers[0].intervals: need at least",
    ),
}


@pytest.mark.parametrize(("make", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_what_run_refuses_is_a_problem(tmp_path: Path, make, words):
    """The exit status is 2 and a line names what cannot be used; nothing is left behind."""
    path = write_private(tmp_path / "config.toml", make(tmp_path))
    before = sorted(tmp_path.iterdir())

    ended = CliRunner().invoke(app, ["check-config", "--config", str(path)])
    shown = CliRunner().invoke(app, ["check-config", "--config", str(path), "--json"])

    assert ended.exit_code == 2, ended.output
    assert words in ended.stdout
    assert json.loads(shown.stdout)["ok"] is False
    assert sorted(tmp_path.iterdir()) == before


def test_the_web_configuration_of_the_command_line_is_checked(tmp_path: Path):
    """``--web.config.file`` counts as it does for `run`."""
    path = write_private(tmp_path / "config.toml", _store("{folder}/history.sqlite3")(tmp_path))
    (tmp_path / "web.yml").write_text("more: 1\n")
    options = ["check-config", "--config", str(path)]

    assert CliRunner().invoke(app, options).exit_code == 0
    assert CliRunner().invoke(app, [*options, "--web.config.file", str(tmp_path / "web.yml")]).exit_code == 2


@pytest.mark.parametrize("what", ["a missing certificate", "intervals beyond the budget"])
def test_run_refuses_it_with_the_same_words(tmp_path: Path, what):
    """Both commands end with status 2 and name the same setting."""
    make, words = BROKEN[what]
    path = write_private(tmp_path / "config.toml", make(tmp_path))

    ended = run_command(
        tmp_path,
        "run",
        "--config",
        str(path),
        environ={f"STALWART_EXPORTER_{name}": "" for name in ("URL", "USERNAME", "PASSWORD")},
    )

    assert ended.returncode == 2
    assert words in ended.stderr
