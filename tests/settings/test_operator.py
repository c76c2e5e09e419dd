"""The operator's login is checked like the server's own, and its files are read only when it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.settings import BasicLogin, BearerToken, OperatorSettings, Secret, load_settings

SERVER = '[[servers]]\nurl = "http://127.0.0.1:1"\ntoken = "watching"\n'


def load(tmp_path: Path, table: str, environ: dict[str, str] | None = None) -> OperatorSettings:
    path = tmp_path / "config.toml"
    path.write_text(f"{SERVER}[servers.operator]\n{table}")
    [server] = load_settings(path, environ or {}).servers
    return server.operator


def test_the_files_are_read_when_the_login_is_needed(tmp_path: Path):
    """Loading the settings, as the daemon does, does not need them."""
    secret = tmp_path / "secret"
    basic = load(tmp_path, f'username = "operator"\npassword_file = "{secret}"')
    token = load(tmp_path, f'token_file = "{secret}"')

    for settings in (basic, token):
        with pytest.raises(ValueError, match="no such file"):
            settings.credentials()
    secret.write_text("hunter2\n")
    assert basic.credentials() == BasicLogin("operator", Secret("hunter2"))
    assert token.credentials() == BearerToken(Secret("hunter2"))


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('username = "operator"', "set without its password"),
        ('password = "x"', "set without username"),
        ('username = "u"\npassword = "x"\ntoken = "y"', "two kinds of credentials"),
        ('token = "x"\ntoken_file = "/y"', "conflicts with token"),
        ('name = "x"', "unknown"),
    ],
)
def test_half_a_login_is_reported_with_its_path(tmp_path: Path, table: str, problem: str):
    """At start, like the server's own."""
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, table)

    assert any("operator" in line and problem in line for line in caught.value.problems), caught.value.problems


def test_without_a_table_there_is_no_login(tmp_path: Path):
    """The command then asks."""
    assert not load(tmp_path, "").is_set
    assert load(tmp_path, "", {"STALWART_EXPORTER_OPERATOR__TOKEN": "x"}).is_set


def test_a_file_that_everybody_can_read_is_warned_about(tmp_path: Path):
    """It lets any user of the machine delete mail."""
    secret, path = tmp_path / "secret", tmp_path / "config.toml"
    secret.write_text("x")
    secret.chmod(0o644)
    path.write_text(f'{SERVER}[servers.operator]\ntoken_file = "{secret}"\n')
    path.chmod(0o600)

    [warning] = load_settings(path, {}).warnings

    assert warning.startswith("servers[0].operator.token_file")


def test_the_login_is_never_shown(tmp_path: Path):
    """Neither by the settings nor in a dump."""
    settings = load(tmp_path, 'username = "operator"\npassword = "hunter2"')

    assert "hunter2" not in repr(settings) + str(settings.model_dump(mode="json"))
