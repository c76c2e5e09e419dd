"""Listeners that are right, and listeners that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.model.inventory import Certificate
from exporter.model.outside import Family, Port, Protocol
from exporter.model.posture import Check
from tests.support.certificates import Authority, Identity, self_signed, with_chain
from tests.support.dns.server import DnsServer, dns_server, failing, rewriting, silent
from tests.support.rigs.domain_checks import HOST
from tests.support.rigs.listeners import BAD, FOUR, GOOD, SIX, UNKNOWN, Rig, results, seen
from tests.support.servers.listening import (
    Behaviour,
    both,
    closes,
    floods,
    hangs,
    listening,
    port_of,
    sends,
    server_context,
    speaks,
)

SAN = f"DNS:{HOST}"
ALL_GOOD = {"handshake": GOOD, "names": GOOD, "chain": GOOD, "validity": GOOD}
NOT_SEEN = {"names": UNKNOWN, "chain": UNKNOWN, "validity": UNKNOWN}


class Pki(NamedTuple):
    """An authority that is trusted, and identities."""

    authority: Authority
    right: Identity
    directory: Path


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Made once."""
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority(directory, "ca")
    return Pki(authority, authority.issue("right", SAN), directory)


@pytest.fixture
def resolver() -> Iterator[DnsServer]:
    """The host has an address of each family."""
    with dns_server(FOUR, SIX) as running:
        yield running


def smtps(identity: Identity) -> Behaviour:
    """A listener that shows *identity*."""
    return speaks(Protocol.SMTPS, server_context(identity))


@pytest.mark.parametrize("protocol", list(Protocol))
def test_every_protocol_is_good_and_left_politely(protocol: Protocol, pki: Pki, resolver: DnsServer) -> None:
    """One connection per address, no login and no mail; the session is ended as the protocol has it."""
    with listening(both(speaks(protocol, server_context(pki.right)))) as listener:
        rig = Rig(resolver, pki.authority.cert, [port_of(listener, protocol)])
        found = rig.check()

    assert [results(found[family]) for family in Family] == [ALL_GOOD, ALL_GOOD]
    assert list(listener.connections.values()) == [1, 1]
    ends = [one.not_after for one in rig.findings]
    assert all(end is not None and 0 < end - datetime.now(UTC).timestamp() < 3 * 86_400 for end in ends)
    words = {line.strip().upper().split(b" ")[-1] for line in listener.heard[Family.IPV4]}
    assert words <= {b"MX.EXAMPLE.TEST", b"STARTTLS", b"STLS", b"CAPA", b"CAPABILITY", b"QUIT", b"LOGOUT"}
    assert protocol is Protocol.HTTPS or words & {b"QUIT", b"LOGOUT"}


def wrong_name(pki: Pki) -> Identity:
    """For another host, and one level too deep for a wildcard."""
    return pki.authority.issue("wrong", "DNS:mail.example.test,DNS:*.mx.example.test")


def expired(pki: Pki) -> Identity:
    """Ended a year ago, otherwise right."""
    return pki.authority.issue_dated("expired", SAN, begins="20250101000000Z", ends="20250401000000Z")


def not_yet_valid(pki: Pki) -> Identity:
    """Begins in the future."""
    return pki.authority.issue_dated("early", SAN, begins="20480101000000Z", ends="20500401000000Z")


def unsigned(pki: Pki) -> Identity:
    """Signed by itself."""
    return self_signed(pki.directory, "self", SAN)


def missing_intermediate(pki: Pki) -> Identity:
    """The authority in between is not sent along."""
    return pki.authority.intermediate("between").issue("leaf", SAN)


def nameless(pki: Pki) -> Identity:
    """Only an address, and the host as common name, which does not count."""
    return pki.authority.issue(HOST, "IP:127.0.0.1")


@pytest.mark.parametrize(
    ("make", "check", "words"),
    [
        (wrong_name, Check.CERTIFICATE_NAMES, "is for mail.example.test, *.mx.example.test, not for mx.example.test"),
        (nameless, Check.CERTIFICATE_NAMES, "is for no host name"),
        (expired, Check.CERTIFICATE_VALIDITY, "has expired at 2025-04-01T00:00:00Z"),
        (not_yet_valid, Check.CERTIFICATE_VALIDITY, "is not valid before 2048-01-01T00:00:00Z"),
        (unsigned, Check.CERTIFICATE_CHAIN, "self-signed"),
        (missing_intermediate, Check.CERTIFICATE_CHAIN, "not sent along"),
    ],
)
def test_one_thing_wrong_is_bad_in_one_check(make, check: Check, words: str, pki: Pki, resolver: DnsServer) -> None:
    """The others are judged all the same, whichever family shows it."""
    with listening({Family.IPV4: smtps(pki.right), Family.IPV6: smtps(make(pki))}) as listener:
        found = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)]).check()

    assert results(found[Family.IPV4]) == ALL_GOOD
    assert results(found[Family.IPV6]) == {**ALL_GOOD, check.removeprefix("certificate_"): BAD}
    assert words in seen(found[Family.IPV6], check)


def test_a_chain_that_is_sent_along_is_good(pki: Pki, resolver: DnsServer) -> None:
    """The leaf's authority is known through the one that signed it."""
    between = pki.authority.intermediate("sent")
    identity = with_chain(between.issue("sent-leaf", f"DNS:*.{HOST.partition('.')[2]}"), between)
    with listening(both(smtps(identity))) as listener:
        found = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)]).check()

    assert results(found[Family.IPV4]) == ALL_GOOD


def test_the_certificate_for_the_name_that_is_asked_for_counts(pki: Pki, resolver: DnsServer) -> None:
    """A server that does not know the name shows its default one, which is wrong."""
    default = server_context(self_signed(pki.directory, "localhost", "DNS:localhost"))
    knows, asked = server_context(pki.right), []

    def choose(connection, name, _):
        asked.append(name)
        connection.context = knows if name == HOST else default

    default.sni_callback = choose
    forgetful = server_context(self_signed(pki.directory, "default", "DNS:localhost"))
    behaviours = {
        Family.IPV4: speaks(Protocol.SMTP, default),
        Family.IPV6: speaks(Protocol.SMTP, forgetful),
    }
    with listening(behaviours) as listener:
        found = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTP)]).check()

    assert asked == [HOST]
    assert results(found[Family.IPV4]) == ALL_GOOD
    assert results(found[Family.IPV6]) == {**ALL_GOOD, "names": BAD, "chain": BAD}


@pytest.mark.parametrize("protocol", [Protocol.SMTP, Protocol.IMAP, Protocol.POP3, Protocol.SIEVE])
def test_starttls_that_is_not_offered_is_bad(protocol: Protocol, pki: Pki, resolver: DnsServer) -> None:
    """The session is left without a try."""
    with listening(both(speaks(protocol, None))) as listener:
        found = Rig(resolver, pki.authority.cert, [port_of(listener, protocol)]).check()[Family.IPV4]

    assert results(found) == {**NOT_SEEN, "handshake": BAD}
    assert "does not offer STARTTLS" in seen(found, Check.CERTIFICATE_HANDSHAKE)


@pytest.mark.parametrize(
    ("protocol", "behaviour", "expected", "words"),
    [
        (Protocol.SMTP, closes, UNKNOWN, "cannot be reached"),
        (Protocol.SMTPS, closes, UNKNOWN, "closes the connection"),
        (Protocol.SMTP, sends(b"421 too busy\r\n"), UNKNOWN, "answers 421"),
        (Protocol.SMTP, floods(b"2"), BAD, "does not end"),
        (Protocol.SMTP, floods(b"220-on and on\r\n"), BAD, "does not end"),
        (Protocol.IMAP, floods(b"* CAPABILITY \x1b[31m\r\n"), UNKNOWN, "does not greet"),
        (Protocol.SIEVE, floods(b'"SIEVE" "x"\r\n'), BAD, "does not end"),
        (Protocol.POP3, floods(b"+OK \xff\x00\r\n"), BAD, "does not end"),
        (Protocol.SMTPS, floods(b"220 hello\r\n"), BAD, "answers without TLS"),
        (Protocol.HTTPS, sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), BAD, "answers without TLS"),
        (Protocol.SMTPS, floods(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc" + b"\0" * 50), BAD, "handshake fails"),
    ],
)
def test_hostile_listeners_cost_little(
    protocol: Protocol, behaviour: Behaviour, expected, words: str, pki: Pki, resolver: DnsServer
) -> None:
    """Of 100 MB almost nothing is taken, and what cannot be judged is unknown."""
    with listening(both(behaviour)) as listener:
        found = Rig(resolver, pki.authority.cert, [port_of(listener, protocol)]).check()[Family.IPV4]

    assert results(found) == {**NOT_SEEN, "handshake": expected}
    assert words in seen(found, Check.CERTIFICATE_HANDSHAKE)
    assert listener.sent_bytes < 32 << 20


@pytest.mark.parametrize("protocol", [Protocol.SMTP, Protocol.SMTPS])
def test_a_listener_that_hangs_is_unknown(protocol: Protocol, pki: Pki, resolver: DnsServer) -> None:
    """The deadline ends it."""
    with listening({Family.IPV4: hangs}) as listener:
        rig = Rig(resolver, pki.authority.cert, [port_of(listener, protocol)])
        rig.timeout_seconds = 0.2
        found = rig.check()

    assert results(found[Family.IPV4]) == {**NOT_SEEN, "handshake": UNKNOWN}


def test_a_family_that_refuses_what_the_other_accepts_is_bad(pki: Pki, resolver: DnsServer) -> None:
    """An IPv6 address in DNS where nothing listens, although nobody has listed the port."""
    with listening({Family.IPV4: smtps(pki.right)}) as listener:
        found = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)], expected=False).check()

    assert results(found[Family.IPV4]) == ALL_GOOD
    assert results(found[Family.IPV6]) == {**NOT_SEEN, "handshake": BAD}
    assert "refuses connections over IPv6, but not over IPv4" in seen(found[Family.IPV6], Check.CERTIFICATE_HANDSHAKE)


def test_where_nothing_listens_is_bad_only_where_something_should(pki: Pki, resolver: DnsServer) -> None:
    """A usual port that a server does not have is left out; once it has had a result, it is missed."""
    nobody = Port(1, Protocol.SMTPS)
    usual = Rig(resolver, pki.authority.cert, [nobody], expected=False)
    listed = Rig(resolver, pki.authority.cert, [nobody], expected=True).check()

    assert usual.check() == {}
    assert results(usual.check(known={f"{HOST}|1/ipv4"})[Family.IPV4])["handshake"] is UNKNOWN
    assert [results(listed[family])["handshake"] for family in Family] == [BAD, BAD]


@pytest.mark.parametrize("mend", [failing("SERVFAIL"), rewriting("192.0.2.9"), silent])
def test_a_resolver_that_fails_or_lies_makes_unknowns(mend, pki: Pki, resolver: DnsServer) -> None:
    """Nobody is connected to."""
    resolver.mend = mend
    with listening(both(smtps(pki.right))) as listener:
        rig = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)], expected=False)
        rig.dns_timeout_seconds = 0.2
        found = rig.check(known={f"{HOST}|{listener.port}/ipv4"})

    assert results(found[Family.IPV4])["names"] is UNKNOWN
    assert list(listener.connections.values()) == [0, 0]


def stored(days: float, name: str = HOST) -> Certificate:
    """A certificate that the server has, with the days that are left."""
    return Certificate(names=[name], not_after=datetime.now(UTC) + timedelta(days=days))


def test_an_old_certificate_that_is_still_served_is_bad(pki: Pki, resolver: DnsServer) -> None:
    """The server has one that ends later for this host; older ones and those for other hosts do not matter."""
    with listening(both(smtps(pki.right))) as listener:
        rig = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)])
        late = rig.check(stored=[stored(90), stored(1)])[Family.IPV4]
        wildcard = rig.check(stored=[stored(90, "*.example.test")])[Family.IPV4]
        newest = rig.check(stored=[stored(1), stored(90, "other.test")])[Family.IPV4]
        foreign = rig.check(stored=[stored(90, "other.test")])[Family.IPV4]

    assert results(late) == results(wildcard) == {**ALL_GOOD, "renewal": BAD}
    assert "the old certificate is still served" in seen(late, Check.CERTIFICATE_RENEWAL)
    assert results(newest) == {**ALL_GOOD, "renewal": GOOD}
    assert results(foreign) == ALL_GOOD


def test_a_default_certificate_beside_a_stored_one_is_bad(pki: Pki, resolver: DnsServer) -> None:
    """A server that has not loaded its certificate shows one that it made itself, which never ends."""
    with listening(both(smtps(self_signed(pki.directory, "made", "DNS:localhost")))) as listener:
        rig = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)])
        found = rig.check(stored=[stored(1)])[Family.IPV4]

    assert results(found) == {**ALL_GOOD, "names": BAD, "chain": BAD, "renewal": BAD}
    assert "other names is served, although the server has one" in seen(found, Check.CERTIFICATE_RENEWAL)


def test_a_listener_without_tls_is_left_alone_for_hours(pki: Pki, resolver: DnsServer) -> None:
    """The server may count each handshake as an attack."""
    with listening(both(sends(b"220 hello\r\n"))) as listener:
        rig = Rig(resolver, pki.authority.cert, [port_of(listener, Protocol.SMTPS)])
        found = [rig.check()[Family.IPV4] for _ in range(3)]

    assert [results(one)["handshake"] for one in found] == [BAD, BAD, BAD]
    assert list(listener.connections.values()) == [1, 1]


def test_without_authorities_no_chain_is_bad(pki: Pki, resolver: DnsServer, monkeypatch, tmp_path: Path) -> None:
    """A container without a trust store says nothing about the server."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with listening(both(smtps(pki.right))) as listener:
        found = Rig(resolver, None, [port_of(listener, Protocol.SMTPS)]).check()[Family.IPV4]

    assert results(found) == {**ALL_GOOD, "chain": UNKNOWN}
