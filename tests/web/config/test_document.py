"""The web configuration file: what is read, and what is refused in which words."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import SettingsError
from exporter.web.config.document import load_web_config
from exporter.web.rate_limit import RateLimit
from tests.support.listener.app import HASH as PASSWORD_HASH
from tests.support.listener.config import Load, problems

HASH = PASSWORD_HASH.decode()


def test_an_empty_file_changes_nothing(load: Load):
    """No TLS, no users, no headers."""
    config = load("# nothing yet\n")

    assert (config.ssl_context, dict(config.users), config.headers) == (None, {}, ())


def test_the_whole_format_is_read(load: Load, tls: str):
    """Every key that can be honoured is, with paths taken from the file's own directory."""
    config = load(
        tls
        + f"""\
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [prometheus.example.org]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers:
    Content-Security-Policy: default-src 'self'
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    X-XSS-Protection: ""
    Strict-Transport-Security: max-age=31536000
basic_auth_users:
  prometheus: {HASH}
"""
    )

    context = config.ssl_context
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"] == [
        "ECDHE-RSA-AES256-GCM-SHA384",
        "ECDHE-ECDSA-AES128-GCM-SHA256",
    ]
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert config.headers == (
        (b"content-security-policy", b"default-src 'self'"),
        (b"strict-transport-security", b"max-age=31536000"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"deny"),
    )
    assert config.users == {"prometheus": HASH.encode()}
    assert {path.name for path in config.stamps} == {"web.yml", "server.pem", "server.key", "ca.pem"}


def test_every_problem_is_told_at_once(load: Load):
    """Trouble in one section does not hide the next one's."""
    found = problems(
        load,
        """\
tls_server_config: {cert_file: none.pem, key_file: none.key, min_version: TLS9, typo: 1}
http_server_config: {http2: maybe, headers: {X-Powered-By: us}}
basic_auth_users: {prometheus: s3cret}
more: 1
""",
    )

    assert sorted(problem.partition(":")[0] for problem in found) == [
        "basic_auth_users.prometheus",
        "http_server_config.headers.X-Powered-By",
        "http_server_config.http2",
        "more",
        "tls_server_config.cert_file",
        "tls_server_config.key_file",
        "tls_server_config.min_version",
        "tls_server_config.typo",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "http_server_config: {headers: {X-Frame-Options: DENY}}",
            "headers.X-Frame-Options: must be deny or sameorigin",
        ),
        ("http_server_config: {headers: {X-Content-Type-Options: x}}", "X-Content-Type-Options: must be nosniff"),
        ('http_server_config: {headers: {X-XSS-Protection: "a\\r\\nb"}}', "must be printable ASCII on one line"),
        ("http_server_config: {headers: {Server: mine}}", "headers.Server: this header cannot be set"),
        ("http_server_config: [1]", "http_server_config: must be a mapping"),
        ("basic_auth_users: {prometheus: }", "basic_auth_users.prometheus: must be a string"),
        (f"basic_auth_users: {{123: {HASH}}}", "basic_auth_users.123: must be written in quotes"),
        (f'basic_auth_users: {{"a:b": {HASH}}}', "basic_auth_users.a:b: a user name cannot contain a colon"),
        ("basic_auth_users: {prometheus: 5}", "basic_auth_users.prometheus: must be a string"),
        ("rate_limit: {interval: soon, burst: 2}", "rate_limit.interval: must be a duration such as 1s"),
        ("rate_limit: {interval: 1s}", "rate_limit.burst: must be a whole number"),
        ("rate_limit: {interval: 1s, burst: 1.5}", "rate_limit.burst: must be a whole number"),
        ("rate_limit: {interval: 1s, burst: 0}", "rate_limit.burst: must be 1 or more"),
        ("rate_limit: {interval: 1s, burst: 2, per: host}", "rate_limit.per: unknown key"),
        ("[1, 2]", "must be a mapping"),
        ("basic_auth_users: {a: b, a: c}", "not valid YAML: line 1, column 26: key 'a' is duplicated"),
        ("a: [1", "not valid YAML: line "),
        ("\x00", "not valid YAML: "),
    ],
)
def test_other_mistakes_are_told_in_words(load: Load, content, expected):
    """Headers, users and the file's form are checked as strictly as TLS."""
    (found,) = problems(load, content)

    assert expected in found


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", None),
        ("rate_limit: {interval: 0}", None),
        ("rate_limit: {interval: 0s, burst: 5}", None),
        ("rate_limit: {interval: 1s, burst: 2}", RateLimit(interval_seconds=1.0, burst=2)),
        ("rate_limit: {interval: 1m30s, burst: 1}", RateLimit(interval_seconds=90.0, burst=1)),
        ("rate_limit: {interval: '500ms', burst: 20}", RateLimit(interval_seconds=0.5, burst=20)),
    ],
)
def test_a_rate_limit_is_read(load: Load, lines, expected):
    """Intervals are written as in the shared format, and 0 turns the limit off."""
    assert load(lines).rate_limit == expected


documents = st.recursive(
    st.sampled_from(
        ["2026-13-45", "!!int x", '"\\ud800"', "!!bool x", "!!timestamp x", "!!binary x", "1e999", ".nan", "*a", "&a"]
    )
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.tuples(inner, inner).map(lambda pair: f"{{? {pair[0]} : {pair[1]}}}")
    ),
    max_leaves=6,
)


@given(
    key=st.sampled_from(["tls_server_config", "http_server_config", "basic_auth_users", "rate_limit", "more"]),
    value=documents,
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_value_is_a_configuration_or_a_settings_error(tmp_path: Path, key, value):
    """Nothing that a document can hold raises anything else, and the problems can be logged."""
    path = tmp_path / "web.yml"
    path.write_bytes(f"{key}: {value}\n".encode("utf-8", "surrogatepass"))

    found: Sequence[str] = ()
    try:
        load_web_config(path)
    except SettingsError as error:
        found = error.problems

    assert all(problem.encode() and problem.isprintable() for problem in found)


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_are_a_configuration_or_a_settings_error(tmp_path: Path, content):
    """A file that is no text at all is refused in words."""
    path = tmp_path / "web.yml"
    path.write_bytes(content)

    with contextlib.suppress(SettingsError):
        load_web_config(path)


def test_a_mistake_never_shows_a_secret(load: Load):
    """Neither a password that stands where its hash belongs nor a line of broken YAML is quoted."""
    for content in ("basic_auth_users: {prometheus: hunter2}", "basic_auth_users: {prometheus: 'hunter2}"):
        assert "hunter2" not in "".join(problems(load, content))


def test_users_are_not_shown_by_repr(load: Load):
    """A configuration in a log line holds no hash."""
    assert HASH not in repr(load(f"basic_auth_users: {{prometheus: {HASH}}}"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    """The path is named with the system's reason."""
    with pytest.raises(SettingsError, match=r"none\.yml: No such file or directory"):
        load_web_config(tmp_path / "none.yml")
