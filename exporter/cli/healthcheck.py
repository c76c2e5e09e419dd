"""``stalwart-exporter healthcheck``: whether the exporter with this configuration is healthy, for probes."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.cli.output import complain, console
from exporter.errors import SettingsError
from exporter.settings import DEFAULT_PATH, ListenAddress, WebSettings
from exporter.settings.addresses import parse_listens
from exporter.settings.environment import apply_environment
from exporter.settings.files import read_bounded
from exporter.units import MIB
from exporter.web.config.document import load_web_config

EXIT_UNHEALTHY = 1
EXIT_SETTINGS = 2

PATH = "/-/healthy"

_EVERYWHERE: Mapping[str, tuple[str, ...]] = {"0.0.0.0": ("127.0.0.1",), "::": ("::1", "127.0.0.1")}  # noqa: S104
"""The addresses to connect to if the exporter listens on all addresses."""


class Unhealthy(Exception):
    """The exporter did not respond as healthy; the message says how."""


def healthcheck(config: Path | None, web_config: Path | None, *, timeout_seconds: float) -> int:
    """
    Request the running exporter's health; return the exit status.

    Reads only the address and whether there is a web configuration, so that an invalid edit of the configuration does
    not make a running exporter unhealthy.
    """
    web = _web_table(config)
    try:
        listen = parse_listens(web.get("listen", WebSettings().listen))[0]
    except ValueError as error:
        complain(f"web.listen: {error}")
        return EXIT_SETTINGS
    if listen.port == 0:
        complain("web.listen: with port 0 the port is chosen at startup, so the health check cannot find it")
        return EXIT_SETTINGS
    file = web_config or web.get("config_file")
    reasons = []
    for host in _EVERYWHERE.get(listen.host, (listen.host,)):
        try:
            _ask(ListenAddress(host, listen.port), Path(str(file)) if file else None, timeout_seconds)
        except Unhealthy as error:
            reasons.append(str(error))
        else:
            console.print("healthy")
            return 0
    complain("; ".join(reasons))
    return EXIT_UNHEALTHY


def _web_table(config: Path | None) -> Mapping[str, Any]:
    """Return the table ``web`` from the file, as far as it can be read, and from the environment."""
    path = config if config is not None else DEFAULT_PATH
    tables: dict[str, Any] = {}
    try:
        if config is not None or path.exists():
            tables = tomllib.loads(read_bounded(path, MIB, regular_only=False).decode("utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        complain(f"{path}: {error}; using the address from the environment, or the default")
    web = apply_environment(tables, dict(os.environ)).tables.get("web", {})
    return web if isinstance(web, Mapping) else {}


def _ask(address: ListenAddress, web_config: Path | None, timeout_seconds: float) -> None:
    """Raise `Unhealthy` unless the exporter is healthy; with a web configuration, try TLS first, then plain HTTP."""
    error: Exception | None = None
    for context in _contexts(web_config):
        connection = _connection(address, context, timeout_seconds)
        try:
            connection.connect()
            if context is not None and _misses_certificate(connection, web_config, timeout_seconds / 2):
                return
            connection.request("GET", PATH)
            status = connection.getresponse().status
            if status == http.client.OK:
                return
            error = http.client.HTTPException(f"status {status}")
        except (ConnectionRefusedError, TimeoutError) as network_error:
            error = network_error
            break
        except (OSError, http.client.HTTPException) as other_error:
            if _is_refused_handshake(other_error, web_config):
                return
            error = other_error
        finally:
            connection.close()
    raise Unhealthy(f"{address}: {_in_words(error)}")


def _contexts(web_config: Path | None) -> Iterator[ssl.SSLContext | None]:
    if web_config is not None:
        # The certificate is for the exporter's public name, not for this address. Nothing secret is sent.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        yield context
    yield None


def _connection(
    address: ListenAddress, context: ssl.SSLContext | None, timeout_seconds: float
) -> http.client.HTTPConnection:
    if context is None:
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout_seconds)
    return http.client.HTTPSConnection(address.host, address.port, timeout=timeout_seconds, context=context)


def _misses_certificate(
    connection: http.client.HTTPConnection, web_config: Path | None, timeout_seconds: float
) -> bool:
    """
    Return whether the exporter closed the connection because it requires a client certificate, which we do not have.

    In TLS 1.3 the handshake has completed by then: the server checks our certificate afterwards.
    """
    if web_config is None or not _requires_certificate(web_config):
        return False
    before = connection.sock.gettimeout()
    connection.sock.settimeout(timeout_seconds)
    try:
        return connection.sock.recv(1) == b""
    except TimeoutError:
        connection.sock.settimeout(before)
        return False
    except ssl.SSLError as error:
        if error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED":
            return True
        raise


def _is_refused_handshake(error: Exception, web_config: Path | None) -> bool:
    """
    Return whether the exporter rejected the handshake because it requires a client certificate, as in TLS 1.2.

    The alert may be lost with the connection, so an end without an alert counts too.
    """
    alert = isinstance(error, ssl.SSLError) and error.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"
    if not alert and not isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return False
    return web_config is not None and _requires_certificate(web_config)


def _requires_certificate(web_config: Path) -> bool:
    try:
        tls = load_web_config(web_config).tls
    except SettingsError:
        return False
    return tls is not None and tls.client_auth is ssl.CERT_REQUIRED


def _in_words(error: Exception | None) -> str:
    if isinstance(error, TimeoutError | socket.timeout):
        return "no response within the deadline"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__
