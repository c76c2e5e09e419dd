"""Files that are no configuration, or that a configuration names in vain."""

from __future__ import annotations

import pytest

from exporter.errors import SettingsError
from exporter.settings import load_settings
from tests.support.settings.configuration import ENCRYPTED_KEY, MINIMAL, PRIVATE_KEY, write_private
from tests.support.settings.problems import problems_of, problems_of_server


def test_a_syntax_error_has_line_and_column(tmp_path):
    """The place in the file is told."""
    (line,) = problems_of(tmp_path, "[web]\nlisten = \n")

    assert line.startswith(f"{tmp_path}/config.toml: not valid TOML: ")
    assert line.endswith("(at line 2, column 10)")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[web]\n# caf\xe9\n", "not UTF-8 text (at line 2)"),
        (b"a = " + b"9" * 5000, "not valid TOML: a number has too many digits"),
        (b"a = " + b"[" * 100_000, "not valid TOML: nested too deeply"),
        (b"#" * 1_100_000, "the file is larger than 1MiB"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_in_words(tmp_path, content, words):
    """No content of a file ends in a traceback."""
    (tmp_path / "config.toml").write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "config.toml", {})

    assert caught.value.problems == (f"{tmp_path}/config.toml: {words}",)


def test_a_directory_is_no_configuration(tmp_path):
    """Naming the directory instead of the file is told."""
    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path, {})

    assert caught.value.problems == (f"{tmp_path}: the path is a directory, not a file",)


def test_dotted_keys_without_end_are_an_unknown_key(tmp_path):
    """A thousand tables inside each other are refused like one."""
    lines = problems_of(tmp_path, ".".join(["a"] * 5000) + " = 1\n" + MINIMAL, {"STALWART_EXPORTER_NAME": "x"})

    assert lines == ["a: unknown key; accepted: web, store, trail, log, webhooks, checks, discovery, servers"]


def test_an_unknown_key_is_quoted_on_one_line(tmp_path):
    """A quoted key can hold anything, which must not reach the terminal."""
    (line,) = problems_of(tmp_path, '"a\\u001b[31m\\nb" = 1\n' + MINIMAL)

    assert line.startswith("a [31m b: unknown key")


@pytest.mark.parametrize(
    ("path", "words"),
    [("", "is empty"), ("a\\u0000b", "contains a control character"), ("a\\nb", "contains a control character")],
)
@pytest.mark.parametrize("key", ["token_file", "tls.ca_file", "tls.key_file"])
def test_a_text_that_is_no_path_is_refused(tmp_path, key, path, words):
    """An empty path is not the current directory."""
    text = f'[[servers]]\nurl = "https://mx1.example.org"\n{key} = "{path}"\n'

    lines = problems_of(tmp_path, text)

    assert any(line.startswith(f"servers[0].{key}: {words}; accepted: the path of a file") for line in lines)


@pytest.mark.parametrize(
    ("keys", "start"),
    [
        ('tls.ca_file = "{dir}/absent"', "servers[0].tls.ca_file: no such file"),
        ('tls.ca_file = "{dir}"', "servers[0].tls.ca_file: the path is a directory, not a file"),
        ('tls.ca_file = "{dir}/key"', "servers[0].tls.ca_file: the file contains no certificate in PEM format"),
        (
            'tls.cert_file = "{dir}/key"\ntls.key_file = "{dir}/encrypted"',
            "servers[0].tls.key_file: the private key is encrypted",
        ),
    ],
)
def test_a_file_for_tls_is_looked_into(tmp_path, keys, start):
    """A wrong file is found at start, not at the first handshake."""
    write_private(tmp_path / "key", PRIVATE_KEY)
    write_private(tmp_path / "encrypted", ENCRYPTED_KEY)

    lines = problems_of_server(tmp_path, keys.format(dir=tmp_path))

    assert any(line.startswith(start) for line in lines)


def test_the_web_configuration_must_be_readable(tmp_path):
    """A missing file for TLS and passwords of our own port is a problem, for the port would stand open."""
    lines = problems_of(tmp_path, f'[web]\nconfig_file = "{tmp_path}/absent.yml"\n' + MINIMAL)

    assert lines == ["web.config_file: no such file; accepted: the path of a file that the exporter can read"]
