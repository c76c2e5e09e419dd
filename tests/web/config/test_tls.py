"""TLS on the listener: versions, client certificates, and certificates that change while it runs."""

from __future__ import annotations

import ssl

import pytest

from exporter.web.serving.server import WebServer
from tests.support.certificates import Authority, client_context
from tests.support.listener.app import Run, connected, read_to_end
from tests.support.listener.tls import REQUIRED, configured, status_with


def test_pages_are_served_over_tls(run: Run, configure, authority: Authority):
    """A client that trusts the authority is served, one that speaks plain HTTP is not."""

    async def scenario() -> None:
        async with configured(configure()) as (server, _), connected(server) as (reader, writer):
            assert await status_with(server, client_context(authority)) == 200

            writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert b"200 OK" not in await read_to_end(reader)

    run(scenario())


@pytest.mark.parametrize(
    ("line", "offered", "expected"),
    [
        ("min_version: TLS13", ssl.TLSVersion.TLSv1_2, None),
        ("min_version: TLS13", ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
        ("max_version: TLS12", ssl.TLSVersion.TLSv1_3, None),
        ("max_version: TLS12", ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
    ],
)
def test_versions_outside_the_range_are_refused(run: Run, configure, authority: Authority, line, offered, expected):
    """A client that offers only a version outside the range gets no connection."""
    context = client_context(authority)
    context.minimum_version = context.maximum_version = offered

    async def scenario() -> None:
        async with configured(configure(line)) as (server, _):
            assert await _agreed(server, context, "version") == expected

    run(scenario())


def test_cipher_suites_are_those_of_the_list(run: Run, configure, authority: Authority):
    """With TLS 1.2, the one suite named is agreed on, and a client without it is refused."""
    lines = ("max_version: TLS12", "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]")
    other = client_context(authority)
    other.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")

    async def scenario() -> None:
        async with configured(configure(*lines)) as (server, _):
            agreed = await _agreed(server, client_context(authority), "cipher")

            assert agreed is not None
            assert agreed[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
            assert await _agreed(server, other, "cipher") is None

    run(scenario())


@pytest.mark.parametrize(("curve", "expected"), [("CurveP384", True), ("CurveP256", False)])
def test_the_one_curve_is_the_configured_one(run: Run, configure, authority: Authority, curve, expected):
    """A client that offers only P-384 is served if that is the curve, and refused if it is another."""
    context = client_context(authority)
    context.set_ecdh_curve("secp384r1")

    async def scenario() -> None:
        async with configured(configure(f"curve_preferences: [{curve}]")) as (server, _):
            assert (await _agreed(server, context, "version") is not None) is expected

    run(scenario())


async def _agreed(server: WebServer, context: ssl.SSLContext, what: str) -> str | tuple[str, str, int] | None:
    try:
        async with connected(server, ssl_context=context) as (_, writer):
            ssl_object: ssl.SSLObject = writer.get_extra_info("ssl_object")
            return ssl_object.version() if what == "version" else ssl_object.cipher()
    except (ssl.SSLError, ConnectionError):
        return None


IF_GIVEN = ("client_auth_type: VerifyClientCertIfGiven", "client_ca_file: ca.pem")


@pytest.mark.parametrize(
    ("lines", "nobody", "ours", "foreign"),
    [
        ((), 200, 200, 200),
        (REQUIRED, None, 200, None),
        (IF_GIVEN, 200, 200, None),
    ],
    ids=["NoClientCert", "RequireAndVerifyClientCert", "VerifyClientCertIfGiven"],
)
def test_client_certificates_are_asked_for_as_configured(
    run: Run, configure, authority: Authority, other_authority: Authority, lines, nobody, ours, foreign
):
    """Who comes without a certificate, with ours or with a stranger's is let in as the policy says."""
    our_identity = authority.issue("client", "DNS:prometheus.example.org")
    foreign_identity = other_authority.issue("client", "DNS:prometheus.example.org")

    async def scenario() -> None:
        async with configured(configure(*lines)) as (server, _):
            assert await status_with(server, client_context(authority)) == nobody
            assert await status_with(server, client_context(authority, our_identity)) == ours
            assert await status_with(server, client_context(authority, foreign_identity)) == foreign

    run(scenario())


def test_a_server_certificate_is_no_client_certificate(run: Run, configure, authority: Authority):
    """A certificate that was issued for servers only does not let a client in."""
    identity = authority.issue("server-only", "DNS:prometheus.example.org", usage="serverAuth")

    async def scenario() -> None:
        async with configured(configure(*REQUIRED)) as (server, _):
            assert await status_with(server, client_context(authority, identity)) is None

    run(scenario())


@pytest.mark.parametrize(
    ("san", "expected"),
    [
        ("DNS:prometheus.example.org", 200),
        ("DNS:other.example.org,DNS:prometheus.example.org", 200),
        ("DNS:PROMETHEUS.example.org", None),
        ("DNS:*.example.org", None),
        ("email:watcher@example.org", 200),
        ("URI:spiffe://example.org/prometheus", 200),
        ("IP:192.0.2.7", 200),
        ("IP:2001:db8::7", 200),
        ("IP:192.0.2.8", None),
    ],
)
def test_client_names_must_be_on_the_list(run: Run, configure, authority: Authority, san, expected):
    """A verified certificate is let in only if one of its alternative names is listed, letter by letter."""
    identity = authority.issue("named", san)
    allowed = (
        "client_allowed_sans: [prometheus.example.org, watcher@example.org, 'spiffe://example.org/prometheus', "
        "192.0.2.7, '2001:0db8:0::7']"
    )

    async def scenario() -> None:
        async with configured(configure(*REQUIRED, allowed)) as (server, _):
            assert await status_with(server, client_context(authority, identity)) == expected

    run(scenario())
