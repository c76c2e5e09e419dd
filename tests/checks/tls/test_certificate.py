"""Reading of certificates: names as clients compare them, dates, and damaged bytes."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.checks.hosts.der import DerError
from exporter.checks.tls.certificate import Certificate, covers, parse_certificate
from tests.support.certificates import Authority

_MADE: list[bytes] = []


@pytest.fixture(scope="module", autouse=True)
def der(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A certificate with names and an address."""
    directory: Path = tmp_path_factory.mktemp("certificate")
    authority = Authority(directory, "Test Authority")
    identity = authority.issue_dated(
        "own", "DNS:MX.example.test,DNS:*.example.org,IP:192.0.2.1", begins="20490101000000Z", ends="20510102030405Z"
    )
    _MADE[:] = [ssl.PEM_cert_to_DER_cert(identity.cert.read_text())]
    return _MADE[0]


def test_names_dates_and_issuer_are_read(der: bytes) -> None:
    """Dates of both forms: with two digits until 2049, with four from 2050 on."""
    read = parse_certificate(der)

    assert read.names == ("mx.example.test", "*.example.org")
    assert (read.not_before.isoformat(), read.not_after.isoformat()) == (
        "2049-01-01T00:00:00+00:00",
        "2051-01-02T03:04:05+00:00",
    )
    assert (read.issuer, read.self_issued) == ("Test Authority", False)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx.example.test", True),
        ("a.example.org", True),
        ("example.org", False),
        ("a.b.example.org", False),
        ("org", False),
        ("other.test", False),
    ],
)
def test_a_wildcard_stands_for_one_label(host: str, expected: bool) -> None:
    """As clients compare names."""
    assert covers(["mx.example.test", "*.example.org", "*."], host) is expected


@given(st.data())
def test_damaged_certificates_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever bytes a listener shows."""
    damaged = bytearray(_MADE[0][: data.draw(st.integers(0, len(_MADE[0])))])
    for _ in range(data.draw(st.integers(0, 4)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))

    with contextlib.suppress(DerError):
        assert isinstance(parse_certificate(bytes(damaged)), Certificate)
