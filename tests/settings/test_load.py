"""Where settings come from: file, environment, both."""

from __future__ import annotations

from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.settings import BasicLogin, BearerToken, ListenAddress, Secret, load_settings
from tests.support.settings.configuration import CERTIFICATE, MINIMAL, TWO_SERVERS, load_text, write_private

SAMPLE = """\
[web]
listen = "127.0.0.1:9787"
[store]
path = "/var/lib/stalwart-exporter/history.sqlite3"
retention = "400d"
[log]
level = "info"            # JSON to stderr when it is not a terminal
[[servers]]
name = "mx1"              # the value of the label `server`; default: host name of url
url = "https://mx1.example.org"
username = "watcher"      # Basic: an account or, up to v0.15, an API key's name
password_file = "/run/secrets/watcher"
# token_file = "..."      # or Bearer: API key (either generation) or OAuth token
native_username = "prometheus"          # the login of the server's own metrics page, if it has one
native_password_file = "/run/secrets/prometheus"
[servers.intervals]       # queue, metrics, native, logs, traces, failed, reports, outgoing
queue = "30s"
[servers.streams]
transport = "auto"        # auto | websocket | sse | off
[servers.tls]
ca_file = "/etc/ssl/private-ca.pem"     # insecure_skip_verify = true exists, and warns
"""


def test_the_documented_sample_loads_as_it_stands(tmp_path):
    """The file that the documentation shows is good, with its files present."""
    write_private(tmp_path / "watcher", "watcher's password\n")
    write_private(tmp_path / "prometheus", "page password")
    write_private(tmp_path / "private-ca.pem", CERTIFICATE)
    text = SAMPLE.replace("/run/secrets/", f"{tmp_path}/").replace("/etc/ssl/", f"{tmp_path}/")

    settings = load_text(tmp_path, text)

    (server,) = settings.servers
    assert settings.web.listen == (ListenAddress("127.0.0.1", 9787),)
    assert (settings.store.retention, settings.log.level, settings.log.format) == (34_560_000.0, "info", "auto")
    assert (server.name, server.url, server.host) == ("mx1", "https://mx1.example.org", "mx1.example.org")
    assert server.credentials == BasicLogin("watcher", Secret("watcher's password"))
    assert server.native_credentials == BasicLogin("prometheus", Secret("page password"))
    assert (server.intervals.queue, server.streams.transport) == (30.0, "auto")
    assert server.tls.ca_file == tmp_path / "private-ca.pem"
    assert settings.warnings == ()


def test_defaults_are_the_documented_ones(tmp_path):
    """Everything but address and credentials can be left out."""
    settings = load_text(tmp_path, MINIMAL)

    (server,) = settings.servers
    assert str(settings.web.listen[0]) == "127.0.0.1:9787"
    assert (settings.web.config_file, settings.web.enable_reload, settings.web.status_page) == (None, False, True)
    assert settings.store.path == Path("/var/lib/stalwart-exporter/history.sqlite3")
    assert settings.store.retention == 400 * 86_400
    assert server.name == "mx1.example.org"
    assert server.credentials == BearerToken(Secret("secret-token"))
    assert server.native_credentials is None
    assert (server.count_own_requests, server.ask_version) == (False, False)
    assert (server.max_queue_messages, server.max_domains, server.max_requests_per_minute) == (100_000, 25, 55)
    assert (server.request_timeout, server.connect_timeout, server.read_timeout) == (30.0, 5.0, 10.0)
    assert server.max_body_bytes == 64 * 1024 * 1024
    assert server.intervals.model_dump() == {
        "queue": 30.0,
        "metrics": 60.0,
        "native": 60.0,
        "logs": 60.0,
        "traces": 60.0,
        "failed": 60.0,
        "reports": 300.0,
        "outgoing": 300.0,
        "inventory": 300.0,
        "accounts": 3600.0,
        "settings": 300.0,
        "senders": 30.0,
    }
    assert (server.streams.transport, server.tls.insecure_skip_verify) == ("auto", False)


def test_the_default_file_is_read_if_nothing_else_is_named(tmp_path):
    """Without an explicit path the default one counts."""
    default = write_private(tmp_path / "config.toml", MINIMAL)

    settings = load_settings(None, {}, default_path=default)

    assert settings.servers[0].name == "mx1.example.org"


def test_an_absent_default_file_is_fine_when_the_environment_makes_a_server(tmp_path):
    """A container needs no file."""
    environ = {"STALWART_EXPORTER_URL": "https://mx1.example.org", "STALWART_EXPORTER_TOKEN": "secret-token"}

    settings = load_settings(None, environ, default_path=tmp_path / "absent.toml")

    assert settings == load_text(tmp_path, MINIMAL)


def test_an_absent_default_file_is_named_when_there_is_no_server(tmp_path):
    """Who has configured nothing learns both ways to do it."""
    with pytest.raises(SettingsError) as caught:
        load_settings(None, {}, default_path=tmp_path / "absent.toml")

    servers, file = caught.value.problems
    assert servers.startswith("servers: no server is configured; accepted: [[servers]]")
    assert "STALWART_EXPORTER_URL" in servers
    assert file.startswith(f"{tmp_path}/absent.toml: no such file")


def test_an_explicit_file_that_is_missing_is_a_problem_in_spite_of_the_environment(tmp_path):
    """A named file is meant."""
    environ = {"STALWART_EXPORTER_URL": "https://mx1.example.org", "STALWART_EXPORTER_TOKEN": "secret-token"}

    with pytest.raises(SettingsError) as caught:
        load_settings(tmp_path / "absent.toml", environ)

    assert caught.value.problems == (f"{tmp_path}/absent.toml: no such file",)


def test_several_servers_keep_their_order_and_take_global_variables(tmp_path):
    """One daemon watches many servers."""
    settings = load_text(tmp_path, TWO_SERVERS, {"STALWART_EXPORTER_LOG_LEVEL": "error"})

    assert [server.name for server in settings.servers] == ["mx1.example.org", "mx2.example.org"]
    assert settings.log.level == "error"


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda text: text + "# a comment\n", True),
        (lambda text: text.replace("secret-token", "secret-tokem"), False),
        (lambda text: text + "max_domains = 26\n", False),
        (lambda text: text + "max_domains = 25\n", True),
    ],
)
def test_settings_are_equal_when_nothing_differs_secrets_included(tmp_path, change, same):
    """A reload can tell what changed."""
    before = load_text(tmp_path, MINIMAL)

    after = load_text(tmp_path, change(MINIMAL))

    assert (after == before, after.servers[0] == before.servers[0]) == (same, same)


def test_settings_differ_when_a_file_behind_them_was_renewed(tmp_path):
    """A rotated secret or certificate under its old name is a change."""
    write_private(tmp_path / "token", "one")
    write_private(tmp_path / "ca.pem", CERTIFICATE)
    text = f"""
        [[servers]]
        url = "https://mx1.example.org"
        token_file = "{tmp_path}/token"
        tls.ca_file = "{tmp_path}/ca.pem"
    """
    first = load_text(tmp_path, text)

    write_private(tmp_path / "token", "two")
    second = load_text(tmp_path, text)
    write_private(tmp_path / "ca.pem", CERTIFICATE * 2)
    third = load_text(tmp_path, text)

    assert first.servers[0].tls == second.servers[0].tls
    assert first.servers[0] != second.servers[0]
    assert second.servers[0].tls != third.servers[0].tls
    assert third == load_text(tmp_path, text)


def test_a_byte_order_mark_is_no_problem(tmp_path):
    """Some editors put one in front."""
    (tmp_path / "config.toml").write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())

    assert load_settings(tmp_path / "config.toml", {}).servers[0].name == "mx1.example.org"
