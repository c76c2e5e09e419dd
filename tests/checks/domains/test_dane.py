"""DANE: TLSA records against the certificate that a mail host shows."""

from __future__ import annotations

import hashlib
import ssl
import subprocess

import pytest

from exporter.checks.dns.answers import Tlsa
from exporter.checks.domains.dane import matches
from exporter.checks.hosts.access import HostAccess
from exporter.checks.hosts.der import DerError, public_key_info
from exporter.model.posture import Check, CheckOutcome, CheckResult
from tests.support.certificates import Authority, Identity
from tests.support.dns.hosts import mail_host
from tests.support.dns.server import dns_server
from tests.support.rigs.domain_checks import HOST, RIGHT, check, checker_for

NAME = f"_25._tcp.{HOST}"
LINES = tuple(line for line in RIGHT if not line.startswith(f"{HOST}. IN A"))


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """The certificate of the mail host."""
    return Authority(tmp_path_factory.mktemp("authority"), "ca").issue("mx", f"DNS:{HOST}")


def der(identity: Identity) -> bytes:
    """A certificate's bytes."""
    return ssl.PEM_cert_to_DER_cert(identity.cert.read_text())


def key_of(identity: Identity) -> bytes:
    """Its public key, by OpenSSL."""
    made = subprocess.run(
        ["openssl", "x509", "-in", str(identity.cert), "-noout", "-pubkey"], capture_output=True, check=True
    ).stdout
    return subprocess.run(
        ["openssl", "pkey", "-pubin", "-outform", "DER"], input=made, capture_output=True, check=True
    ).stdout


def outcome(port: int, *records: str, signed: bool = True, trusted: bool = True) -> CheckOutcome | None:
    """The check of a domain whose mail host listens on *port*."""
    with dns_server(*LINES, f"{HOST}. IN A 127.0.0.1", *(f"{NAME}. IN TLSA {record}" for record in records)) as server:
        server.zones.signed = signed
        access = HostAccess(None, 5.0, smtp_port=port)
        return check(server, checker=checker_for(server, access=access, trusted=trusted)).get(Check.DANE)


def result(found: CheckOutcome | None) -> CheckResult | None:
    """Its result; ``None`` if there was nothing to check."""
    return None if found is None else found.result


def test_the_public_key_is_that_of_openssl(identity: Identity) -> None:
    """Found in the certificate without a library for it."""
    assert public_key_info(der(identity)) == key_of(identity)


@pytest.mark.parametrize("cut", [0, 1, 3, 10, 50, 200])
def test_half_a_certificate_is_refused(cut: int, identity: Identity) -> None:
    """Whatever a host shows ends in a key or in `DerError`."""
    with pytest.raises(DerError):
        public_key_info(der(identity)[:cut])


def test_a_matching_record_is_good_and_the_host_gets_no_mail(identity: Identity) -> None:
    """The key's digest, the usual form; the session ends before any message."""
    seen: list[bytes] = []
    digest = hashlib.sha256(key_of(identity)).hexdigest()
    with mail_host(identity, seen) as port:
        assert result(outcome(port, f"3 1 1 {digest}")) is CheckResult.GOOD
        assert result(outcome(port, f"3 0 2 {hashlib.sha512(der(identity)).hexdigest()}")) is CheckResult.GOOD

    assert {line.split()[0].upper() for line in seen} == {b"EHLO", b"STARTTLS"}


def test_another_record_is_bad_and_the_right_one_is_published(identity: Identity) -> None:
    """As after a renewal with a new key."""
    with mail_host(identity) as port:
        found = outcome(port, f"3 1 1 {'ab' * 32}")
        assert found is not None
        assert found.result is CheckResult.BAD
        [record] = found.publish
        repaired = outcome(port, record.content)

    assert record.name == NAME
    assert result(repaired) is CheckResult.GOOD


def test_a_record_that_mail_does_not_use_is_bad(identity: Identity) -> None:
    """Usages 0 and 1 ask for public authorities, which SMTP has no use for."""
    with mail_host(identity) as port:
        found = outcome(port, f"1 1 1 {hashlib.sha256(key_of(identity)).hexdigest()}")

    assert found is not None
    assert found.result is CheckResult.BAD
    assert "usable" in found.seen[0]


@pytest.mark.parametrize(("signed", "trusted"), [(False, True), (True, False)])
def test_without_a_trusted_validation_nothing_is_known(signed: bool, trusted: bool, identity: Identity) -> None:
    """A record that anybody may have made up says nothing."""
    with mail_host(identity) as port:
        found = outcome(port, f"3 1 1 {'ab' * 32}", signed=signed, trusted=trusted)

    assert result(found) is CheckResult.UNKNOWN


def test_a_host_that_cannot_be_asked_is_unknown() -> None:
    """Many networks block port 25: neither a refused connection nor a missing STARTTLS is held against DNS."""
    assert result(outcome(1, f"3 1 1 {'ab' * 32}")) is CheckResult.UNKNOWN
    with mail_host(None) as port:
        assert result(outcome(port, f"3 1 1 {'ab' * 32}")) is CheckResult.UNKNOWN


def test_without_records_there_is_nothing_to_check() -> None:
    """DANE is optional."""
    assert outcome(1) is None


def test_a_certificate_authority_is_found_in_the_chain(identity: Identity) -> None:
    """Usage 2 matches what signed the certificate, never the certificate itself."""
    own, authority = der(identity), der(Identity(identity.cert.parent / "ca.pem", identity.key))
    record = Tlsa(2, 0, 1, hashlib.sha256(authority).digest())

    assert matches(record, [own, authority])
    assert not matches(record, [authority])
    assert not matches(Tlsa(2, 0, 1, hashlib.sha256(own).digest()), [own, authority])
    assert not matches(Tlsa(3, 0, 9, b""), [own])
