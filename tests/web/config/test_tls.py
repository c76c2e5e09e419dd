"""TLS on the listener: versions, client certificates, and certificates that change while it runs."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from exporter.clock import SystemClock
from exporter.errors import SettingsError
from exporter.web.config.document import load_web_config
from exporter.web.config.live import LiveWebConfig
from exporter.web.guard import Guard
from exporter.web.server import WebServer
from tests.support.certificates import Authority, Identity, client_context
from tests.support.web import HASH as PASSWORD_HASH
from tests.support.web import Run, application, basic, browsing, connected, read_to_end, serving, until

HASH = PASSWORD_HASH.decode()


@pytest.fixture
def configure(tmp_path: Path, authority: Authority, server_identity: Identity) -> Callable[..., Path]:
    """Writes a configuration with TLS on, further lines of its section, and what comes after the section."""
    install(server_identity, tmp_path)
    shutil.copy(authority.cert, tmp_path / "ca.pem")

    def write(*lines: str, rest: str = "") -> Path:
        path = tmp_path / "web.yml"
        section = ("tls_server_config:", "cert_file: server.pem", "key_file: server.key", *lines)
        path.write_text("\n  ".join(section) + "\n" + rest)
        return path

    return write


def install(identity: Identity, directory: Path) -> None:
    """Puts a certificate and its key where the configuration looks, each in one step."""
    for source, name in ((identity.cert, "server.pem"), (identity.key, "server.key")):
        shutil.copy(source, directory / "new")
        os.replace(directory / "new", directory / name)


@asynccontextmanager
async def configured(path: Path) -> AsyncIterator[tuple[WebServer, LiveWebConfig]]:
    """A server with this configuration in force and watched."""
    config = load_web_config(path)
    guard = Guard(application(), config)
    live = LiveWebConfig(config, guard=guard, clock=SystemClock())
    watching = asyncio.create_task(live.run())
    try:
        async with serving(guard, ssl_context=live.ssl_context) as server:
            yield server, live
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def status_with(server: WebServer, context: ssl.SSLContext) -> int | None:
    """The status of a page behind the login on a new connection, or ``None`` if there is none to be had."""
    try:
        async with browsing(server, verify=context) as client:
            return (await client.get("/-/ready")).status_code
    except httpx.TransportError:
        return None


async def certificate_of(server: WebServer, context: ssl.SSLContext) -> bytes | None:
    """The certificate that a new connection is shown."""
    async with connected(server, ssl_context=context) as (_, writer):
        ssl_object: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return ssl_object.getpeercert(binary_form=True)


def der(identity: Identity) -> bytes:
    return ssl.PEM_cert_to_DER_cert(identity.cert.read_text())


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


REQUIRED = ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file: ca.pem")
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


def test_a_new_certificate_is_used_for_new_connections(run: Run, configure, tmp_path: Path, authority: Authority):
    """Replacing the files is enough; a connection that is open stays so, on what it began with."""
    renewed = authority.issue("renewed", "IP:127.0.0.1")

    async def scenario() -> None:
        async with configured(configure()) as (server, _), browsing(server, verify=client_context(authority)) as old:
            await old.get("/-/healthy")

            install(renewed, tmp_path)

            async def shows_the_new_one() -> bool:
                return await certificate_of(server, client_context(authority)) == der(renewed)

            await until(shows_the_new_one)
            assert (await old.get("/-/healthy")).status_code == 200

    run(scenario())


def test_a_new_authority_replaces_the_old_one(
    run: Run, configure, tmp_path: Path, authority: Authority, other_authority: Authority
):
    """Clients of an authority that was taken out of the file are not let in any more."""
    old = client_context(authority, authority.issue("client", "DNS:a.example.org"))
    new = client_context(authority, other_authority.issue("client", "DNS:a.example.org"))

    async def scenario() -> None:
        async with configured(configure(*REQUIRED)) as (server, live):
            before = await status_with(server, old), await status_with(server, new)

            shutil.copy(other_authority.cert, tmp_path / "ca.pem")
            await live.reload()

            assert before == (200, None)
            assert (await status_with(server, old), await status_with(server, new)) == (None, 200)

    run(scenario())


def test_a_broken_configuration_leaves_the_old_one_in_force(run: Run, configure, tmp_path: Path, authority: Authority):
    """A file that cannot be used is reported by a reload, and is taken once it is whole, without another word."""
    renewed = authority.issue("renewed", "IP:127.0.0.1")
    context = client_context(authority)

    async def scenario() -> None:
        async with configured(configure()) as (server, live):
            before = await certificate_of(server, context)

            (tmp_path / "server.pem").write_text("half a certi")
            with pytest.raises(SettingsError, match="holds no certificate"):
                await live.reload()

            assert await certificate_of(server, context) == before

            install(renewed, tmp_path)

            async def shows_the_new_one() -> bool:
                return await certificate_of(server, context) == der(renewed)

            await until(shows_the_new_one)

    run(scenario())


def test_a_file_that_the_configuration_waits_for_is_taken_when_it_comes(
    run: Run, configure, tmp_path: Path, authority: Authority
):
    """A configuration that names a file too early comes into force once the file is there."""
    renewed = authority.issue("renewed", "IP:127.0.0.1")

    async def scenario() -> None:
        async with configured(configure()) as (server, live):
            path = configure()
            path.write_text("tls_server_config: {cert_file: later.pem, key_file: later.key}\n")
            await until(lambda: "later.pem: No such file" in "".join(live.problems))
            shutil.copy(renewed.key, tmp_path / "later.key")
            shutil.copy(renewed.cert, tmp_path / "later.pem")

            async def shows_the_new_one() -> bool:
                return await certificate_of(server, client_context(authority)) == der(renewed)

            await until(shows_the_new_one)
            assert live.problems == ()

    run(scenario())


def test_changed_users_hold_from_the_next_request(run: Run, configure, authority: Authority):
    """A user who is taken out of the file is shut out on connections that are open, too."""
    path = configure(rest=f"basic_auth_users: {{old: {HASH}}}\n")

    async def scenario() -> None:
        async with configured(path) as (server, live), browsing(server, verify=client_context(authority)) as client:
            before = await client.get("/metrics", headers=basic("old", "s3cret"))

            configure(rest=f"basic_auth_users: {{new: {HASH}}}\n")
            await live.reload()

            after = [await client.get("/metrics", headers=basic(name, "s3cret")) for name in ("old", "new")]
            assert before.status_code == 200
            assert [response.status_code for response in after] == [401, 200]

    run(scenario())


def test_tls_is_not_turned_off_while_running(run: Run, configure, authority: Authority):
    """A file without TLS does not make a TLS port a plain one; it is refused and says that a restart is needed."""
    path = configure()

    async def scenario() -> None:
        async with configured(path) as (server, live):
            path.write_text("basic_auth_users: {}\n")

            with pytest.raises(SettingsError, match="only by a restart"):
                await live.reload()

            assert await status_with(server, client_context(authority)) == 200

    run(scenario())


def test_authentication_is_not_turned_off_while_running(run: Run, configure, authority: Authority):
    """A file that is cut short while it is written does not open the pages to everybody."""
    path = configure(rest=f"basic_auth_users: {{prometheus: {HASH}}}\n")

    async def scenario() -> None:
        async with configured(path) as (server, live):
            configure()

            with pytest.raises(SettingsError, match="only by a restart"):
                await live.reload()

            assert await status_with(server, client_context(authority)) == 401

    run(scenario())
