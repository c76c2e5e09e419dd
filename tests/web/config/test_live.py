"""A web configuration that changes while the listener runs."""

from __future__ import annotations

import shutil
import ssl
from pathlib import Path

import pytest

from exporter.errors import SettingsError
from exporter.web.serving.server import WebServer
from tests.support.certificates import Authority, Identity, client_context
from tests.support.listener.app import HASH as PASSWORD_HASH
from tests.support.listener.app import Run, basic, browsing, connected, until
from tests.support.listener.tls import REQUIRED, configured, install, status_with

HASH = PASSWORD_HASH.decode()


async def certificate_of(server: WebServer, context: ssl.SSLContext) -> bytes | None:
    """The certificate that a new connection is shown."""
    async with connected(server, ssl_context=context) as (_, writer):
        ssl_object: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return ssl_object.getpeercert(binary_form=True)


def der(identity: Identity) -> bytes:
    return ssl.PEM_cert_to_DER_cert(identity.cert.read_text())


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
            with pytest.raises(SettingsError, match="contains no certificate"):
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
