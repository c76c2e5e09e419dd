"""``stalwart-exporter healthcheck`` against exporters behind every kind of access control, as processes."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support.certificates import Authority, Identity
from tests.support.commands import run_command, running
from tests.support.listener.app import HASH as PASSWORD_HASH
from tests.support.ports import reserve_port

USERS = f"basic_auth_users: {{prometheus: '{PASSWORD_HASH.decode()}'}}\n"


def tls(identity: Identity, *lines: str) -> str:
    """The beginning of a web configuration with TLS."""
    section = [f"cert_file: {identity.cert}", f"key_file: {identity.key}", *lines]
    return "tls_server_config:\n" + "".join(f"  {line}\n" for line in section)


def check(directory: Path, listen: str, web: Path | None) -> tuple[int, str]:
    """The exit status and the output of a health check with the settings of the exporter."""
    options = [] if web is None else ["--web.config.file", str(web)]
    ended = run_command(directory, "healthcheck", *options, environ={"STALWART_EXPORTER_LISTEN": listen})
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "localhost"])  # noqa: S104 - on purpose
def test_health_is_asked_wherever_the_exporter_listens(tmp_path: Path, host):
    """Every address to listen on has one at which the check reaches it."""
    listen = f"{host}:{reserve_port()}"

    with running(tmp_path, environ={"STALWART_EXPORTER_LISTEN": listen}):
        assert check(tmp_path, listen, None) == (0, "healthy\n")


@pytest.mark.parametrize("kind", ["basic", "tls", "tls and basic", "client certificate", "client certificate, TLS 1.2"])
@pytest.mark.fault("web", "a health check has neither password nor client certificate")
def test_health_needs_no_credentials(tmp_path: Path, server_identity: Identity, authority: Authority, kind):
    """The exporter is healthy behind TLS, basic auth, both, or client certificates."""
    demands = ["client_auth_type: RequireAndVerifyClientCert", f"client_ca_file: {authority.cert}"]
    web = tmp_path / "web.yml"
    web.write_text(
        {
            "basic": USERS,
            "tls": tls(server_identity),
            "tls and basic": tls(server_identity) + USERS,
            "client certificate": tls(server_identity, *demands) + USERS,
            "client certificate, TLS 1.2": tls(server_identity, *demands, "max_version: TLS12"),
        }[kind]
    )
    listen = f"127.0.0.1:{reserve_port()}"

    with running(tmp_path, ("run", "--web.config.file", str(web)), environ={"STALWART_EXPORTER_LISTEN": listen}):
        assert check(tmp_path, listen, web) == (0, "healthy\n")


def test_an_exporter_that_hangs_or_is_gone_is_not_healthy(
    tmp_path: Path, server_identity: Identity, authority: Authority
):
    """The exit status is 1 while the process is stopped, and after it ended, with client certificates too."""
    web = tmp_path / "web.yml"
    web.write_text(
        tls(server_identity, "client_auth_type: RequireAndVerifyClientCert", f"client_ca_file: {authority.cert}")
    )
    listen = f"127.0.0.1:{reserve_port()}"

    with running(
        tmp_path, ("run", "--web.config.file", str(web)), environ={"STALWART_EXPORTER_LISTEN": listen}
    ) as exporter:
        exporter.process.send_signal(signal.SIGSTOP)
        stopped = check(tmp_path, listen, web)
        exporter.process.send_signal(signal.SIGCONT)

    assert stopped == (1, f"{listen}: no response within the deadline\n")
    assert check(tmp_path, listen, web) == (1, f"{listen}: connection refused\n")


def test_an_edited_configuration_does_not_make_a_running_exporter_unhealthy(tmp_path: Path):
    """A file that cannot be read any more, and a broken web configuration, leave the exporter healthy."""
    listen = f"127.0.0.1:{reserve_port()}"
    config, web = tmp_path / "config.toml", tmp_path / "web.yml"
    config.write_text("")
    web.write_text(USERS)
    arguments = ["--config", str(config), "--web.config.file", str(web)]

    with running(tmp_path, ("run", *arguments), environ={"STALWART_EXPORTER_LISTEN": listen}):
        config.write_text("[")
        web.unlink()
        ended = run_command(tmp_path, "healthcheck", *arguments, environ={"STALWART_EXPORTER_LISTEN": listen})

    assert (ended.returncode, ended.stdout) == (0, "healthy\n")
