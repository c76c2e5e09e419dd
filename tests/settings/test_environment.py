"""Settings from the environment."""

from __future__ import annotations

import json
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import SettingsError
from exporter.settings import BasicLogin, BearerToken, Secret, load_settings
from exporter.settings.environment import apply_environment, variable_name
from tests.support.settings.configuration import MINIMAL, TWO_SERVERS, load_text, write_private


def test_every_short_variable_of_the_environment_is_taken(tmp_path):
    """One server with Basic credentials by environment alone."""
    write_private(tmp_path / "page", "page password")
    environ = {
        "STALWART_EXPORTER_URL": "http://localhost:8080",
        "STALWART_EXPORTER_NAME": "mx",
        "STALWART_EXPORTER_USERNAME": "watcher",
        "STALWART_EXPORTER_PASSWORD": "a password",
        "STALWART_EXPORTER_NATIVE_USERNAME": "prometheus",
        "STALWART_EXPORTER_NATIVE_PASSWORD_FILE": str(tmp_path / "page"),
        "STALWART_EXPORTER_LISTEN": "[::1]:0",
        "STALWART_EXPORTER_STORE_PATH": "/srv/history.sqlite3",
        "STALWART_EXPORTER_LOG_LEVEL": "debug",
        "HOME": "/nowhere",
    }

    settings = load_settings(None, environ, default_path=tmp_path / "absent.toml")

    (server,) = settings.servers
    assert (server.url, server.name) == ("http://localhost:8080", "mx")
    assert server.credentials == BasicLogin("watcher", Secret("a password"))
    assert server.native_credentials == BasicLogin("prometheus", Secret("page password"))
    assert (str(settings.web.listen[0]), settings.store.path) == ("[::1]:0", Path("/srv/history.sqlite3"))
    assert settings.log.level == "debug"


def test_every_key_has_a_variable_of_the_general_form(tmp_path):
    """Paths joined by two underscores reach keys of every type, those of the server without a prefix of its own."""
    environ = {
        "STALWART_EXPORTER_WEB__ENABLE_RELOAD": "true",
        "STALWART_EXPORTER_STORE__RETENTION": "30d",
        "STALWART_EXPORTER_INTERVALS__QUEUE": "15",
        "STALWART_EXPORTER_STREAMS__TRANSPORT": "sse",
        "STALWART_EXPORTER_TLS__INSECURE_SKIP_VERIFY": "true",
        "STALWART_EXPORTER_MAX_DOMAINS": "0",
        "STALWART_EXPORTER_MAX_BODY_BYTES": "1MiB",
    }

    settings = load_text(tmp_path, MINIMAL, environ)

    (server,) = settings.servers
    assert (settings.web.enable_reload, settings.store.retention) == (True, 30 * 86_400)
    assert (server.intervals.queue, server.streams.transport, server.max_domains) == (15.0, "sse", 0)
    assert (server.tls.insecure_skip_verify, server.max_body_bytes) == (True, 1_048_576)


def test_variables_override_the_only_server_of_the_file_key_by_key(tmp_path):
    """What the environment does not name stays as the file has it."""
    text = MINIMAL + "max_domains = 7\n[servers.intervals]\nqueue = '10s'\nlogs = '20s'\n"
    environ = {"STALWART_EXPORTER_NAME": "renamed", "STALWART_EXPORTER_INTERVALS__QUEUE": "45s"}

    (server,) = load_text(tmp_path, text, environ).servers

    assert (server.name, server.max_domains) == ("renamed", 7)
    assert (server.intervals.queue, server.intervals.logs) == (45.0, 20.0)
    assert server.credentials == BearerToken(Secret("secret-token"))


@pytest.mark.parametrize("table", ["", "operator", "probes", "probes.round_trip", "webhook"])
def test_a_secret_in_the_environment_replaces_the_one_of_its_own_table(table):
    """In every table that has a secret, and in no other one."""
    name = "secret" if table == "webhook" else "password"
    path = tuple(part for part in table.split(".") if part)
    server: dict[str, Any] = {}
    for inner in ((), ("operator",), ("probes",), ("probes", "round_trip"), ("webhook",)):
        held = "secret" if inner == ("webhook",) else "password"
        reduce(lambda at, part: at.setdefault(part, {}), inner, server)[held] = "of the file"

    variable = variable_name((*path, f"{name}_file"))
    overlay = apply_environment({"servers": [server]}, {variable: "/run/secrets/new"})

    (changed,) = overlay.tables["servers"]
    found = reduce(lambda at, part: at[part], path, changed)
    assert (name in found, found[f"{name}_file"]) == (False, "/run/secrets/new")
    assert json.dumps(changed).count("of the file") == 4
    assert json.dumps(server).count("of the file") == 5


def test_the_environment_leaves_the_tables_of_the_file_as_they_are():
    """What was read is still needed to tell whether the file itself holds a secret."""
    server = {"token": "secret-token", "intervals": {"queue": "10s"}}
    tables = {"log": {"level": "info"}, "servers": [server]}
    environ = {
        "STALWART_EXPORTER_PASSWORD": "new",
        "STALWART_EXPORTER_INTERVALS__QUEUE": "1s",
        "STALWART_EXPORTER_LOG_LEVEL": "debug",
    }

    overlay = apply_environment(tables, environ)

    assert tables == {"log": {"level": "info"}, "servers": [server]}
    assert server == {"token": "secret-token", "intervals": {"queue": "10s"}}
    assert overlay.tables == {
        "log": {"level": "debug"},
        "servers": [{"password": "new", "intervals": {"queue": "1s"}}],
    }


@pytest.mark.parametrize(
    ("in_file", "environ", "credentials"),
    [
        (
            'username = "u"\npassword_file = "/absent"',
            {"STALWART_EXPORTER_PASSWORD": "new"},
            BasicLogin("u", Secret("new")),
        ),
        ('username = "u"\npassword = "old"', {"STALWART_EXPORTER_TOKEN": "new"}, BearerToken(Secret("new"))),
        (
            'token_file = "/absent"',
            {"STALWART_EXPORTER_USERNAME": "u", "STALWART_EXPORTER_PASSWORD": "new"},
            BasicLogin("u", Secret("new")),
        ),
        ('token = "old"', {"STALWART_EXPORTER_TOKEN": "new"}, BearerToken(Secret("new"))),
        ('username = "u"\npassword = "p"', {"STALWART_EXPORTER_USERNAME": "v"}, BasicLogin("v", Secret("p"))),
    ],
)
def test_a_secret_in_the_environment_takes_the_place_of_those_in_the_file(tmp_path, in_file, environ, credentials):
    """Another spelling of the same secret in the file does not stand in the way."""
    text = f'[[servers]]\nurl = "https://mx1.example.org"\n{in_file}\n'

    (server,) = load_text(tmp_path, text, environ).servers

    assert server.credentials == credentials


def test_server_variables_beside_several_servers_are_problems(tmp_path):
    """With two servers nobody can tell which one is meant; settings outside servers are still taken."""
    environ = {"STALWART_EXPORTER_NAME": "x", "STALWART_EXPORTER_TLS__CA_FILE": "/x", "STALWART_EXPORTER_LISTEN": "h:1"}

    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, TWO_SERVERS, environ)

    assert [line.partition(": ")[0] for line in caught.value.problems] == [
        "STALWART_EXPORTER_NAME",
        "STALWART_EXPORTER_TLS__CA_FILE",
    ]
    assert all("the file has 2 [[servers]]" in line for line in caught.value.problems)


def test_an_empty_variable_counts_as_unset(tmp_path):
    """Compose files pass on variables that nobody set."""
    settings = load_text(tmp_path, MINIMAL, {"STALWART_EXPORTER_NAME": "", "STALWART_EXPORTER_TOKEN_FILE": ""})

    assert settings == load_text(tmp_path, MINIMAL)


def test_variables_that_kubernetes_sets_for_a_service_are_left_alone(tmp_path):
    """A service called stalwart-exporter puts variables with our prefix into every container."""
    environ = {
        "STALWART_EXPORTER_SERVICE_HOST": "10.0.0.11",
        "STALWART_EXPORTER_SERVICE_PORT": "9787",
        "STALWART_EXPORTER_SERVICE_PORT_HTTP_METRICS": "9787",
        "STALWART_EXPORTER_PORT": "tcp://10.0.0.11:9787",
        "STALWART_EXPORTER_PORT_9787_TCP": "tcp://10.0.0.11:9787",
        "STALWART_EXPORTER_PORT_9787_TCP_PROTO": "tcp",
        "STALWART_EXPORTER_PORT_9787_TCP_PORT": "9787",
        "STALWART_EXPORTER_PORT_9787_TCP_ADDR": "10.0.0.11",
        "STALWART_EXPORTER_HEADLESS_SERVICE_HOST": "10.0.0.12",
        "STALWART_EXPORTER_HEADLESS_PORT": "tcp://10.0.0.12:9787",
    }

    assert load_text(tmp_path, MINIMAL, environ) == load_text(tmp_path, MINIMAL)


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("STALWART_EXPORTER_PASWORD_FILE", "did you mean STALWART_EXPORTER_PASSWORD_FILE?"),
        ("STALWART_EXPORTER_WEB_CONFIG_FILE", "did you mean STALWART_EXPORTER_WEB__CONFIG_FILE?"),
        ("STALWART_EXPORTER_PORT", "accepted: those in docs/configuration.md"),
        ("STALWART_EXPORTER_ZZZZZZ", "accepted: those in docs/configuration.md"),
    ],
)
def test_an_unknown_variable_is_a_problem_with_a_guess(tmp_path, name, guess):
    """A mistyped variable must not be ignored; a port that is no Kubernetes address is not excused."""
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, MINIMAL, {name: "9787"})

    assert caught.value.problems == (f"{name}: unknown environment variable; {guess}",)


def test_both_names_of_one_setting_are_a_problem(tmp_path):
    """The short and the general variable of a key must not compete."""
    environ = {"STALWART_EXPORTER_LISTEN": "h:1", "STALWART_EXPORTER_WEB__LISTEN": "h:2"}

    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, MINIMAL, environ)

    assert caught.value.problems == (
        "STALWART_EXPORTER_WEB__LISTEN: conflicts with STALWART_EXPORTER_LISTEN, which sets the same key; "
        "accepted: only one of the two",
    )


def test_a_wrong_variable_is_named_beside_the_path_of_its_key(tmp_path):
    """A problem says which variable to look at."""
    with pytest.raises(SettingsError) as caught:
        load_text(tmp_path, MINIMAL, {"STALWART_EXPORTER_INTERVALS__QUEUE": "soon"})

    (line,) = caught.value.problems
    assert line.startswith("servers[0].intervals.queue: not a duration; accepted: a duration such as 30s")
    assert line.endswith("(STALWART_EXPORTER_INTERVALS__QUEUE)")


def test_a_server_by_environment_alone_is_told_the_variable_it_lacks(tmp_path):
    """Without a file, a missing key is named by its variable."""
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {"STALWART_EXPORTER_TOKEN": "secret-token"}, default_path=tmp_path / "absent.toml")

    (line,) = caught.value.problems
    assert line.startswith("servers[0].url: required but not set")
    assert line.endswith("(STALWART_EXPORTER_URL)")
