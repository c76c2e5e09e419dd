"""What wrong settings say: everything at once, with paths, and never a secret."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import SettingsError
from exporter.settings import load_settings
from tests.support.settings.configuration import MINIMAL, load_text, write_private
from tests.support.settings.problems import problems_of, problems_of_server

MANY_PROBLEMS = """
colour = "red"
[web]
listen = "here"
[log]
level = "warn"
[store]
retention = "1h"
[[servers]]
url = "mx1.example.org"
pasword_file = "/run/secrets/x"
max_domains = true
max_queue_messages = -1
[servers.intervals]
queue = "10 minutes"
logs = 0.5
[servers.tls]
key_file = "/absent/key.pem"
max_body_bytes = "1MiB"
[[servers]]
url = "https://mx2.example.org"
name = "twin"
username = "u"
password = "inline-secret"
token_file = "/absent/token"
max_requests_per_minute = 60
[[servers]]
url = "https://mx3.example.org"
name = "twin"
username = "u"
native_password = "inline-secret"
intervals = 30
"""


def test_every_problem_is_told_at_once_with_its_path(tmp_path):
    """One run shows all there is to mend, rules between keys included."""
    lines = problems_of(tmp_path, MANY_PROBLEMS, {"STALWART_EXPORTER_COLOUR": "red", "STALWART_EXPORTER_NAME": "x"})

    assert sorted(line.partition(": ")[0] for line in lines) == sorted(
        [
            "colour",
            "web.listen",
            "log.level",
            "store.retention",
            "servers[0].url",
            "servers[0].pasword_file",
            "servers[0].max_domains",
            "servers[0].max_queue_messages",
            "servers[0].intervals.queue",
            "servers[0].intervals.logs",
            "servers[0].tls.key_file",  # not there
            "servers[0].tls.key_file",  # and without its certificate
            "servers[0].tls.max_body_bytes",
            "servers[0]",
            "servers[1]",
            "servers[1].token_file",
            "servers[1].max_requests_per_minute",
            "servers[2].name",
            "servers[2].username",
            "servers[2].native_password",
            "servers[2].intervals",
            "STALWART_EXPORTER_COLOUR",
            "STALWART_EXPORTER_NAME",
        ]
    )
    assert not any("inline-secret" in line for line in lines)


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ("max_domain = 5", "servers[0].max_domain: unknown key; did you mean max_domains?"),
        (
            "[servers.interval]",
            "servers[0].interval: unknown key; did you mean intervals?",
        ),
        (
            "[servers.tls]\nmax_domains = 5",
            "servers[0].tls.max_domains: unknown key here; it belongs to [[servers]] "
            "(a key belongs to the table whose [header] precedes it)",
        ),
        (
            "[servers.streams]\nzzz = 5",
            "servers[0].streams.zzz: unknown key; accepted: transport",
        ),
        (
            "[servers.streams]\ntransport = 'websockets'",
            "servers[0].streams.transport: unknown value; did you mean websocket?; "
            "accepted: one of auto, websocket, sse, off",
        ),
        (
            "max_domains = 10001",
            "servers[0].max_domains: too large; accepted: a whole number, from 0 to 10000",
        ),
        (
            "max_queue_messages = 2.5",
            "servers[0].max_queue_messages: not a whole number; accepted: a whole number, 0 or more",
        ),
        (
            "intervals.queue = '500ms'",
            "servers[0].intervals.queue: too small; accepted: a duration such as 30s, 5m, 1h30m or 500ms, "
            "or a number of seconds, from 1s to 1d",
        ),
        (
            "max_body_bytes = '64MB'",
            "servers[0].max_body_bytes: not a size in bytes; accepted: a size such as 64MiB (B, KiB, MiB, GiB), "
            "or a number of bytes, from 64KiB to 1GiB",
        ),
        ("ask_version = 'maybe'", "servers[0].ask_version: neither true nor false; accepted: true or false"),
        ("username = 'u'", None),
        ("tls = 5", "servers[0].tls: not a table; accepted: a table of keys"),
        ("name = 5", "servers[0].name: not a string; accepted: a string of at most 64 printable characters"),
        (
            'name = "a\\u0000b"',
            "servers[0].name: contains a control character; accepted: a string of at most 64 printable characters",
        ),
        (
            'name = "mx1 "',
            "servers[0].name: starts or ends with a space; accepted: a string of at most 64 printable characters",
        ),
        (
            f"name = '{'n' * 65}'",
            "servers[0].name: longer than 64 characters; accepted: a string of at most 64 printable characters",
        ),
        (
            "max_requests_per_minute = 60",
            "servers[0].max_requests_per_minute: must be below 60 for a host that is not loopback; "
            "accepted: a whole number, from 5 to 10000",
        ),
        (
            "tls.cert_file = 5",
            "servers[0].tls.cert_file: not a path; accepted: the path of a file with certificates in PEM format",
        ),
        (
            "native_username = 'u'",
            "servers[0].native_username: set without its password; "
            "accepted: together with native_password or native_password_file",
        ),
    ],
)
def test_a_problem_says_what_is_wrong_and_what_is_accepted(tmp_path, keys, line):
    """Path, fault, remedy."""
    lines = problems_of_server(tmp_path, keys)

    expected = line or (
        "servers[0]: two kinds of credentials (username and token); "
        "accepted: username with password or password_file, or token or token_file"
    )
    assert lines == [expected]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("[servers]\nurl = 'https://a'", "servers: a single table; accepted: one or more [[servers]]"),
        ("servers = 5", "servers: not an array of tables; accepted: one or more [[servers]]"),
        ("servers = []", "servers: no server is configured; accepted: [[servers]] in the file"),
        ("servers = [5]", "servers[0]: not a table; accepted: a table of keys"),
        ("web = 5\n" + MINIMAL, "web: not a table; accepted: a table of keys"),
    ],
)
def test_a_wrong_shape_is_told_in_the_words_of_the_file(tmp_path, text, start):
    """A single [servers] and its like are named as such."""
    (line,) = problems_of(tmp_path, text)

    assert line.startswith(start)


def test_a_host_name_too_long_for_the_label_asks_for_a_name(tmp_path):
    """The default name obeys the rule for names too."""
    host = ".".join(["a" * 60, "b" * 60])

    (line,) = problems_of(tmp_path, MINIMAL.replace("mx1.example.org", host))

    assert line.startswith("servers[0].name: the host name of url is longer than 64 characters and cannot be the name")


def test_two_servers_on_one_host_need_names(tmp_path):
    """Default names clash like given ones, also in another case."""
    (line,) = problems_of(tmp_path, MINIMAL + MINIMAL.replace("mx1", "MX1").replace(".org", ".org:8443"))

    assert line.startswith("servers[1].name: the same as that of servers[0]")


@pytest.mark.parametrize("url", ["http://localhost:8080", "https://127.0.0.1", "http://[::1]:8080"])
def test_a_loopback_server_may_be_asked_more_often(tmp_path, url):
    """The limit protects other people's servers."""
    text = MINIMAL.replace("https://mx1.example.org", url) + "max_requests_per_minute = 10000\n"

    assert load_text(tmp_path, text).servers[0].max_requests_per_minute == 10_000


SECRET = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=12, max_size=30).map(lambda text: f"Zq{text}")
PLACES = [
    'url = "https://u:{secret}@mx1.example.org"',
    'url = "{secret}"',
    'url = "https://mx1.example.org/?key={secret}"',
    'url = "https://mx1.example.org"\npassword = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "{secret}"\nusername = "u"\npassword = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "{secret}\\nsecond line"',
    'url = "https://mx1.example.org"\ntoken = "{secret} "',
    'url = "https://mx1.example.org"\ntoken = ["{secret}"]',
    'url = "https://mx1.example.org"\ntoken = {{ value = "{secret}" }}',
    'url = "https://mx1.example.org"\npasswrd = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "{secret}',
    'url = "https://mx1.example.org"\ntoken = {secret}',
    'url = "https://mx1.example.org"\ntoken = "x"\ntoken = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "x"\nintervals = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "x"\nintervals.queue = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "x"\nstreams.transport = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "x"\nmax_domains = "{secret}"',
    'url = "https://mx1.example.org"\ntoken = "x"\nask_version = "{secret}"',
    'url = "https://mx1.example.org"\nusername = "u:{secret}"\npassword = "x"',
    'url = "https://mx1.example.org"\ntoken = "x"\nname = "{secret}\\u0007"',
]


@given(SECRET, st.sampled_from(PLACES))
def test_no_problem_repeats_a_secret_wherever_it_stands(secret, place):
    """Problems, the exception and its traceback hold nothing of a value in the file."""
    with tempfile.TemporaryDirectory() as directory:
        path = write_private(Path(directory) / "config.toml", "[[servers]]\n" + place.format(secret=secret))

        with pytest.raises(SettingsError) as caught:
            load_settings(path, {})

    shown = "\n".join([*caught.value.problems, str(caught.value), repr(caught.value)])
    assert secret not in shown
    assert secret not in "".join(traceback.format_exception(caught.value))


@given(
    SECRET, st.sampled_from(["URL", "USERNAME", "LISTEN", "MAX_DOMAINS", "INTERVALS__QUEUE", "PASWORD", "TOKEN_FILE"])
)
def test_no_problem_repeats_a_secret_of_the_environment(secret, variable):
    """A secret in the wrong variable is not shown either."""
    environ = {
        "STALWART_EXPORTER_URL": "https://mx1.example.org",
        "STALWART_EXPORTER_PASSWORD": f"{secret}\n",
        f"STALWART_EXPORTER_{variable}": f"{secret}:/@\0",
    }

    with pytest.raises(SettingsError) as caught:
        load_settings(None, environ, default_path=Path("/absent/config.toml"))

    assert secret not in "".join([*caught.value.problems, *traceback.format_exception(caught.value)])
