"""Servers in files of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.settings import Settings, load_settings

SERVER = '[[servers]]\nurl = "https://{name}.example.org"\nusername = "watcher"\npassword = "secret"\n'


def load(folder: Path, files: dict[str, str], main: str = "") -> Settings:
    """The settings of a main file that names a directory with *files*."""
    directory = folder / "servers.d"
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
        (directory / name).chmod(0o600)
    config = folder / "config.toml"
    config.write_text(f'[discovery]\ndirectory = "{directory}"\n{main}')
    config.chmod(0o600)
    return load_settings(config, {})


def test_servers_are_read_in_the_order_of_the_files(tmp_path: Path):
    """After those of the main file; hidden and other files are left out."""
    files = {
        "20-b.toml": SERVER.format(name="b"),
        "10-a.toml": SERVER.format(name="a") + SERVER.format(name="a2"),
        ".draft.toml": "not toml",
        "notes.txt": "not toml",
        "30-none.toml": "# nobody yet\n",
    }

    settings = load(tmp_path, files, main=SERVER.format(name="main"))

    assert [server.name for server in settings.servers] == [f"{name}.example.org" for name in ("main", "a", "a2", "b")]
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("url = ", "not valid TOML"),
        ("\xff", "not UTF-8 text"),
        ('[web]\nlisten = "127.0.0.1:1"\n', "web: belongs into the main file; accepted: [[servers]]"),
        ('[servers]\nurl = "https://a.example.org"\n', "servers: not an array of tables"),
        ('[[servers]]\nurl = "mx1"\ntoken = "x"\n', "servers[1].url: does not start with https:// or http://"),
        (SERVER.format(name="a"), "servers[1].name: the same as that of servers[0]"),
    ],
    ids=["no TOML", "no text", "other tables", "no array", "a wrong key", "a name that is taken"],
)
def test_a_problem_names_its_file(tmp_path: Path, text: str, words: str):
    """Whatever is wrong in it, alone or together with the others."""
    load(tmp_path, {"a.toml": SERVER.format(name="a")})
    (tmp_path / "servers.d" / "b.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError) as raised:
        load_settings(tmp_path / "config.toml", {})

    (problem,) = raised.value.problems
    assert words in problem
    assert str(tmp_path / "servers.d" / "b.toml") in problem


def test_a_missing_directory_is_a_problem(tmp_path: Path):
    """Named by its setting."""
    with pytest.raises(SettingsError) as raised:
        load_settings(
            None, {"STALWART_EXPORTER_DISCOVERY__DIRECTORY": str(tmp_path / "none")}, default_path=tmp_path / "no"
        )

    assert any(problem.startswith("discovery.directory: No such file") for problem in raised.value.problems)


def test_a_readable_file_with_a_secret_is_a_risk(tmp_path: Path):
    """As it is for the main file, and that one is not blamed for it."""
    load(tmp_path, {"a.toml": SERVER.format(name="a")})
    path = tmp_path / "servers.d" / "a.toml"
    path.chmod(0o644)

    (warning,) = load_settings(tmp_path / "config.toml", {}).warnings

    assert str(path) in warning
