"""The section on TLS of the web configuration file."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.support.listener.config import Load, problems


def test_defaults_are_tls_12_and_newer_without_client_certificates(load: Load, tls: str):
    """Certificate and key alone make a context; one that keeps no session to be resumed past a changed list."""
    context = load(tls).ssl_context

    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_NONE
    assert context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert context.num_tickets == 0


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("client_auth_type: RequestClientCert", "client_auth_type: RequestClientCert: client certificates cannot be"),
        ("client_auth_type: RequireAnyClientCert", "client_auth_type: RequireAnyClientCert: client certificates"),
        ("client_auth_type: RequireClientCert", "client_auth_type: RequireClientCert: client certificates cannot be"),
        ("client_auth_type: Never", "client_auth_type: 'Never' is not known; must be one of NoClientCert,"),
        ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: is missing; without it, certificates of"),
        ("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: is missing; without it, certificates of"),
        ("client_ca_file: ca.pem", "client_ca_file: has no effect unless client_auth_type verifies"),
        ("client_allowed_sans: [a]", "client_allowed_sans: has no effect unless client_auth_type verifies"),
        ("client_allowed_sans: a", "client_allowed_sans: must be a list of strings"),
        ("min_version: TLS10", "min_version: TLS10: versions before TLS 1.2 are not supported"),
        ("max_version: TLS11", "max_version: TLS11: versions before TLS 1.2 are not supported"),
        ("min_version: 1.2", "min_version: must be a string"),
        ("{min_version: TLS13, max_version: TLS12}", "min_version: is newer than max_version"),
        ("cipher_suites: [TLS_INVENTED]", "cipher_suites: 'TLS_INVENTED' is unknown or no longer secure"),
        ("cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]", "cipher_suites: 'TLS_RSA_WITH_AES_128_CBC_SHA' is unknown"),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]",
            "cipher_suites: TLS 1.3 suites cannot be chosen individually: name none or all",
        ),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256]",
            "cipher_suites: has no suite for TLS 1.2; add one, or set min_version: TLS13",
        ),
        ("curve_preferences: [X25519, CurveP256]", "curve_preferences: several curves in order are not supported"),
        ("curve_preferences: [CurveP999]", "curve_preferences: 'CurveP999' is not known; must be one of CurveP256,"),
        ("cert: |\n    -----BEGIN", "cert: certificates and keys cannot be inline; use cert_file"),
        ("key: |\n    -----BEGIN", "key: certificates and keys cannot be inline; use key_file"),
        ("client_ca: |\n    -----BEGIN", "client_ca: certificates and keys cannot be inline"),
        ("prefer_server_cipher_suites: 1", "prefer_server_cipher_suites: must be true or false"),
        ("sni: true", "sni: unknown key"),
    ],
)
def test_tls_that_cannot_be_honoured_is_refused_in_words(load: Load, tls: str, lines, expected):
    """Each wish has its own sentence and is the only problem found."""
    if lines.startswith("{"):
        lines = "\n  ".join(lines.strip("{}").split(", "))

    found = problems(load, f"{tls}  {lines}\n")

    assert len(found) == 1
    assert found[0].startswith(f"tls_server_config.{expected}")


def test_all_tls_13_suites_by_name_are_what_is_on_anyway(load: Load, tls: str):
    """A list that names every suite of TLS 1.3 is accepted with TLS 1.3 as the oldest version."""
    suites = "[TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256]"

    config = load(f"{tls}  min_version: TLS13\n  cipher_suites: {suites}\n")

    assert config.ssl_context is not None
    assert config.ssl_context.minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("lines", ["cert_file: server.pem", "key_file: server.key", "min_version: TLS12"])
def test_a_section_without_certificate_or_key_is_not_plain_http(load: Load, tls: str, lines):
    """Asking for TLS in part is an error and never ends in an open port."""
    found = problems(load, f"tls_server_config:\n  {lines}\n")

    assert found
    assert all("is missing; TLS needs cert_file and key_file" in problem for problem in found)


def test_files_that_hold_the_wrong_thing_are_named(load: Load, tls: str, tmp_path: Path):
    """A certificate file without a certificate, and a CA file without one, are both told with their paths."""
    (tmp_path / "server.pem").write_text("nothing\n")
    (tmp_path / "ca.pem").write_text("nothing\n")

    found = problems(load, tls + "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n")

    assert [problem.partition(":")[0] for problem in found] == [
        "tls_server_config.cert_file",
        "tls_server_config.client_ca_file",
    ]
    assert all("contains no certificate in PEM format" in problem for problem in found)


def test_a_key_of_another_certificate_is_told(load: Load, tls: str, tmp_path: Path, authority: Authority):
    """Certificate and key that do not match are found when the file is read."""
    shutil.copy(authority.identity.key, tmp_path / "server.key")

    (found,) = problems(load, tls)

    assert found.startswith("tls_server_config.key_file: ")
    assert "does not belong to the certificate in" in found


def test_a_key_file_without_a_key_is_told(load: Load, tls: str, tmp_path: Path):
    """A key file with something else in it is named as the culprit."""
    (tmp_path / "server.key").write_text("nothing\n")

    (found,) = problems(load, tls)

    assert found.startswith("tls_server_config.key_file: ")
    assert "cannot be used with this certificate" in found


def test_an_encrypted_key_is_told_and_not_asked_for(load: Load, tls: str, tmp_path: Path):
    """A key behind a password is refused instead of prompting at the terminal."""
    key = tmp_path / "server.key"
    command = ["openssl", "ec", "-aes128", "-passout", "pass:secret", "-in", key, "-out", key]
    subprocess.run(command, check=True, capture_output=True, timeout=60)

    (found,) = problems(load, tls)

    assert found.startswith("tls_server_config.key_file: ")
    assert "is encrypted" in found
