"""Warnings: good settings that are unwise."""

from __future__ import annotations

import pytest

from tests.support.settings.configuration import CERTIFICATE, MINIMAL, PRIVATE_KEY, load_text, write_private


def paths_warned_of(settings):
    """The paths in front of the warnings, in order."""
    return [line.partition(": ")[0] for line in settings.warnings]


@pytest.mark.parametrize(
    ("url", "paths"),
    [
        ("http://mx1.example.org", ["servers[0].url"]),
        ("http://10.0.0.1:8080", ["servers[0].url"]),
        ("http://localhost:8080", []),
        ("http://127.0.0.1:8080", []),
        ("http://[::1]:8080", []),
        ("https://mx1.example.org", []),
    ],
)
def test_plain_http_warns_unless_it_stays_on_the_machine(tmp_path, url, paths):
    """Credentials in the clear on a network are worth a word."""
    assert paths_warned_of(load_text(tmp_path, MINIMAL.replace("https://mx1.example.org", url))) == paths


def test_turning_verification_off_warns_and_a_ca_beside_it_once_more(tmp_path):
    """Whoever sets both believes in a check that does not happen."""
    write_private(tmp_path / "ca.pem", CERTIFICATE)
    alone = MINIMAL + "tls.insecure_skip_verify = true\n"

    both = alone + f'tls.ca_file = "{tmp_path}/ca.pem"\n'

    assert paths_warned_of(load_text(tmp_path, alone)) == ["servers[0].tls.insecure_skip_verify"]
    assert paths_warned_of(load_text(tmp_path, both)) == [
        "servers[0].tls.insecure_skip_verify",
        "servers[0].tls.ca_file",
    ]


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o604, True)])
def test_secret_files_that_everybody_may_read_warn(tmp_path, mode, warned):
    """Passwords, tokens and private keys are looked at; certificates are public."""
    for name, content in (("secret", "s3cret"), ("key.pem", PRIVATE_KEY), ("cert.pem", CERTIFICATE)):
        write_private(tmp_path / name, content).chmod(mode)
    text = f"""
        [[servers]]
        url = "https://mx1.example.org"
        token_file = "{tmp_path}/secret"
        native_username = "n"
        native_password_file = "{tmp_path}/secret"
        probes.round_trip.address = "probe@example.org"
        probes.round_trip.password_file = "{tmp_path}/secret"
        tls.cert_file = "{tmp_path}/cert.pem"
        tls.key_file = "{tmp_path}/key.pem"
        [[servers]]
        url = "https://mx2.example.org"
        username = "u"
        password_file = "{tmp_path}/secret"
    """

    expected = [
        "servers[0].token_file",
        "servers[0].native_password_file",
        "servers[0].tls.key_file",
        "servers[0].probes.round_trip.password_file",
        "servers[1].password_file",
    ]
    assert paths_warned_of(load_text(tmp_path, text)) == (expected if warned else [])


def test_a_configuration_that_everybody_may_read_warns_if_it_holds_a_secret(tmp_path):
    """A secret within the file makes the file a secret; the warning shows where, not what."""
    path = write_private(tmp_path / "config.toml", MINIMAL)
    path.chmod(0o644)

    (line,) = load_text(tmp_path, MINIMAL).warnings

    assert line.startswith(f"servers[0].token: stands in {path}, which every user of this machine can read")
    assert line.endswith("or use token_file")
    assert "secret-token" not in line


def test_a_secret_of_an_inner_table_counts(tmp_path):
    """However deep it is."""
    text = (
        MINIMAL.replace('token = "secret-token"', "") + 'probes.round_trip = {address = "a@b.test", password = "x"}\n'
    )
    path = write_private(tmp_path / "config.toml", text)
    path.chmod(0o644)

    (line,) = load_text(tmp_path, text, {"STALWART_EXPORTER_TOKEN": "secret-token"}).warnings

    assert line.startswith(f"servers[0].probes.round_trip.password: stands in {path}")


def test_a_configuration_without_secrets_may_be_read_by_everybody(tmp_path):
    """A secret of the environment does not make the file a secret."""
    text = MINIMAL.replace('token = "secret-token"', "")
    path = write_private(tmp_path / "config.toml", text)
    path.chmod(0o644)

    assert load_text(tmp_path, text, {"STALWART_EXPORTER_TOKEN": "secret-token"}).warnings == ()
