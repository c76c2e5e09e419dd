"""The questions of `init`, answered on its input, beside servers of both generations."""

from __future__ import annotations

import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from exporter.simulator import StandIn
from tests.support.commands import command_line, environment
from tests.support.standin import community

NO_SERVER = dict.fromkeys(("STALWART_EXPORTER_URL", "STALWART_EXPORTER_USERNAME", "STALWART_EXPORTER_PASSWORD"), "")
LOGIN = "watcher:lab-watcher-secret"


def answer(folder: Path, *answers: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Runs `init` with an answer per line, writing below *folder*."""
    return subprocess.run(
        command_line("init", "--to", str(folder / "etc"), *options),
        input="".join(f"{text}\n" for text in answers),
        env=environment(folder, NO_SERVER | {"STALWART_EXPORTER_STORE_PATH": ""}),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_a_server_that_answers_is_written_down(tmp_path: Path, version: str):
    """The configuration is valid, the secret in a file of its own, and the next step is said."""
    with StandIn(community(version)) as server:
        ended = answer(tmp_path, server.url, LOGIN, str(tmp_path / "history.sqlite3"))

    assert ended.returncode == 0, ended.stdout + ended.stderr
    config = tomllib.loads((tmp_path / "etc" / "config.toml").read_text())
    (secret,) = (tmp_path / "etc").glob("*.secret")
    assert config["servers"] == [{"url": server.url, "username": "watcher", "password_file": str(secret)}]
    assert config["store"] == {"path": str(tmp_path / "history.sqlite3")}
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("lab-watcher-secret\n", 0o600)
    assert f"next: stalwart-exporter --config {tmp_path / 'etc' / 'config.toml'}" in ended.stdout
    assert "lab-watcher-secret" not in ended.stdout + ended.stderr


def test_a_refused_key_writes_nothing(tmp_path: Path):
    """The reason is that of `doctor`."""
    with StandIn(community()) as server:
        ended = answer(tmp_path, server.url, "watcher:wrong", "")

    assert ended.returncode == 1
    assert "nothing was written" in ended.stderr
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (("mail.example.org", "a:b", ""), "URL: does not start with https://"),
        (("https://mail.example.org/admin", "a:b", ""), "URL: contains a path"),
        (("https://mail.example.org", ":b", ""), "neither NAME:SECRET nor a token"),
        (("https://mail.example.org", "two words", ""), "neither NAME:SECRET nor a token"),
    ],
    ids=["scheme", "path", "no name", "no token"],
)
def test_an_answer_that_cannot_be_used_is_told(tmp_path: Path, answers: tuple[str, ...], words: str):
    """With status 2, before anything is asked of a server, and without repeating the secret."""
    ended = answer(tmp_path, *answers)

    assert ended.returncode == 2
    assert words in ended.stderr
    assert "two words" not in ended.stdout + ended.stderr
    assert not (tmp_path / "etc").exists()


def test_an_existing_configuration_stays(tmp_path: Path):
    """Unless it is to be replaced."""
    (tmp_path / "etc").mkdir()
    existing = tmp_path / "etc" / "config.toml"
    existing.write_text("# mine\n")

    assert answer(tmp_path, "https://mail.example.org", "a:b", "").returncode == 2
    assert existing.read_text() == "# mine\n"
    with StandIn(community()) as server:
        ended = answer(tmp_path, server.url, LOGIN, str(tmp_path / "history.sqlite3"), options=("--force",))
    assert ended.returncode == 0, ended.stderr
    assert server.url in existing.read_text()
