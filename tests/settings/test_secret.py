"""Secrets: where they are read from, and that they never show."""

from __future__ import annotations

import os
import pickle
from contextlib import contextmanager

import pytest

from exporter.errors import SettingsError
from exporter.settings import Secret
from exporter.settings.credentials.secret import read_secret
from tests.support.settings.configuration import MINIMAL, load_text, write_private

NOBODY = 65534


@contextmanager
def an_ordinary_user():
    """Acts without root's right to read everything, and yields the user's id."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield os.geteuid()
    finally:
        os.seteuid(user)


WITH_FILE = """
[[servers]]
url = "https://mx1.example.org"
username = "watcher"
password_file = "{path}"
"""


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        ("s3cret", "s3cret"),
        ("s3cret\n", "s3cret"),
        ("s3cret\r\n", "s3cret"),
        (" s3 cret \n", " s3 cret "),
        ("pässword\n", "pässword"),
        ("\ufeffs3cret\r\n", "s3cret"),
    ],
)
def test_a_secret_file_loses_what_editors_add_and_nothing_else(tmp_path, content, secret):
    """Editors add a line break and a byte order mark; spaces may be part of a password."""
    path = tmp_path / "password"
    path.write_bytes(content.encode())
    path.chmod(0o600)

    (server,) = load_text(tmp_path, WITH_FILE.format(path=path)).servers

    assert server.password == Secret(secret)
    assert server.password_file == path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n", "the file is empty"),
        (b"one\ntwo\n", "the secret in the file contains a line break or another control character"),
        (b"one\n\n", "the secret in the file contains a line break or another control character"),
        (b"one\0", "the secret in the file contains a line break or another control character"),
        (b"\xff\xfe", "the file is not UTF-8 text"),
        (b"x" * 65_537, "the file is larger than 64KiB"),
    ],
)
def test_a_secret_file_that_holds_no_secret_is_a_problem(tmp_path, content, words):
    """What cannot be a password is not sent as one."""
    path = tmp_path / "password"
    path.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, WITH_FILE.format(path=path))

    (line,) = caught.value.problems
    assert line.startswith(f"servers[0].password_file: {words}; accepted: the path of a file with the secret")


def test_a_secret_file_that_cannot_be_opened_is_a_problem_with_its_reason(tmp_path):
    """Missing, a directory, a pipe, a circle of links: each is named."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    reasons = {}

    for name in ("absent", ".", "pipe", "circle"):
        with pytest.raises(SettingsError) as caught:
            load_text(tmp_path, WITH_FILE.format(path=tmp_path / name))
        reasons[name] = caught.value.problems[0].removeprefix("servers[0].password_file: ").partition(";")[0]

    assert reasons == {
        "absent": "no such file",
        ".": "the path is a directory, not a file",
        "pipe": "the path is not a regular file",
        "circle": "the file cannot be read (Too many levels of symbolic links)",
    }


def test_a_secret_file_without_the_right_to_read_is_a_problem(tmp_path):
    """The user that lacks the right is named."""
    path = write_private(tmp_path / "password", "s3cret")
    path.chmod(0)

    with (
        an_ordinary_user() as user,
        pytest.raises(ValueError, match=rf"\(user id {user}\) has no permission to read the file"),
    ):
        read_secret(path)


@pytest.mark.parametrize("name", ["password", "token", "native_password"])
def test_a_secret_and_its_file_together_are_a_problem(tmp_path, name):
    """Neither is preferred in silence."""
    write_private(tmp_path / "secret", "s3cret")
    text = f"""
        [[servers]]
        url = "https://mx1.example.org"
        {'token = "x"' if name == "native_password" else ""}
        {'username = "u"' if name == "password" else ""}
        {'native_username = "u"' if name == "native_password" else ""}
        {name} = "inline"
        {name}_file = "{tmp_path}/secret"
    """

    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, text)

    assert caught.value.problems == (f"servers[0].{name}_file: conflicts with {name}; accepted: only one of the two",)


def test_settings_never_show_a_secret(tmp_path):
    """No way to print settings prints what is in them."""
    path = write_private(tmp_path / "password", "from-a-file\n")
    text = WITH_FILE.format(path=path) + 'native_username = "n"\nnative_password = "from-the-config"\n'

    settings = load_text(tmp_path, text)

    server = settings.servers[0]
    shown = [
        repr(settings),
        str(settings),
        repr(server.credentials),
        repr(server.native_credentials),
        f"{server.password}",
        f"{server.password!r:>10}",
        settings.model_dump_json(),
        repr(settings.model_dump()),
        repr(settings.model_dump(mode="json")),
    ]
    assert not any(secret in text for text in shown for secret in ("from-a-file", "from-the-config"))
    assert (repr(server.password), str(server.password)) == ("***", "***")
    assert settings.model_dump(mode="json")["servers"][0]["password"] == "***"


def test_a_secret_gives_its_value_only_when_asked():
    """Equality and hashing look at the value, so that a reload sees a change."""
    secret = Secret("s3cret")

    assert secret.get_secret_value() == "s3cret"
    assert secret == Secret("s3cret") != Secret("other")
    assert hash(secret) == hash(Secret("s3cret"))
    assert pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301  our own bytes


@pytest.mark.parametrize("token", ["two words", "tökén", "a\\tb", ""])
def test_a_token_that_no_header_carries_is_refused(tmp_path, token):
    """A pasted line break or space is found here, not as a puzzling refusal by the server."""
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, MINIMAL.replace("secret-token", token))

    assert caught.value.problems[0].startswith("servers[0].token: ")
