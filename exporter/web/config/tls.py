"""The listener's TLS context: built from settings, and replaceable while the listener runs."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Any

from exporter.web.config.files import FileProblem, read_regular
from exporter.web.config.section import ConfigSection
from exporter.web.config.tls_section import ServerTls

FILE_LIMIT_BYTES = 4 * 1024 * 1024
"""Maximum size of a file with certificates or a key."""


def build_ssl_context(settings: ServerTls, section: ConfigSection) -> ssl.SSLContext:
    """Build the context; problems with the files are recorded in *section*, and the context is then unusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = settings.minimum_version
    context.maximum_version = settings.maximum_version
    context.options |= ssl.OP_NO_RENEGOTIATION
    # A resumed session would skip the check of the client certificate against a list that has changed since.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if not settings.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if settings.ciphers:
        context.set_ciphers(":".join(settings.ciphers))
    if settings.curve:
        context.set_ecdh_curve(settings.curve)
    context.set_alpn_protocols(["http/1.1"])
    if all(
        [_is_readable(section, "cert_file", settings.cert_file), _is_readable(section, "key_file", settings.key_file)]
    ):
        _load_certificate(context, settings, section)
    if settings.client_ca_file is not None and _is_readable(section, "client_ca_file", settings.client_ca_file):
        _load_client_ca(context, settings.client_ca_file, section)
    context.verify_mode = settings.client_auth
    if settings.client_allowed_sans:
        context.sslobject_class = _checks_names(frozenset(map(_canonical, settings.client_allowed_sans)))
    return context


def _is_readable(section: ConfigSection, key: str, path: Path) -> bool:
    try:
        read_regular(path, FILE_LIMIT_BYTES)
    except FileProblem as problem:
        section.problem(key, f"{path}: {problem}")
        return False
    return True


def _load_certificate(context: ssl.SSLContext, settings: ServerTls, section: ConfigSection) -> None:
    if not _holds_certificate(settings.cert_file):
        section.problem("cert_file", f"{settings.cert_file}: contains no certificate in PEM format")
        return
    encrypted: list[bool] = []

    def no_password() -> str:
        # Without this, OpenSSL would prompt at the terminal.
        encrypted.append(True)
        return ""

    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None)
        if encrypted:
            what = "is encrypted; the key must be readable without a password"
        elif reason == "KEY_VALUES_MISMATCH":
            what = f"does not belong to the certificate in {settings.cert_file}"
        else:
            what = f"cannot be used with this certificate ({reason or 'no private key in PEM format'})"
        section.problem("key_file", f"{settings.key_file}: {what}")


def _load_client_ca(context: ssl.SSLContext, path: Path, section: ConfigSection) -> None:
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        section.problem("client_ca_file", f"{path}: contains no certificate in PEM format")


def _holds_certificate(path: Path) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(path)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False
    return True


def _checks_names(allowed: frozenset[str]) -> type[ssl.SSLObject]:
    """Return a connection class that fails the handshake if a client certificate has none of the allowed names."""

    class NameCheckingObject(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert()
            if certificate and not allowed.intersection(_alternative_names(certificate)):
                raise ssl.SSLCertVerificationError("the client certificate has none of the allowed names")

    return NameCheckingObject


def _alternative_names(certificate: Any) -> set[str]:
    return {_canonical(value) for kind, value in certificate.get("subjectAltName", ()) if kind != "DirName"}


def _canonical(name: str) -> str:
    """Return an IP address in canonical form, and any other name unchanged."""
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name


class SwitchableContext(ssl.SSLContext):
    """
    Uses the current context for every new connection.

    An event loop keeps the context with which it started to listen, but calls it for each connection's TLS object. The
    socket therefore stays open while certificates, authorities and versions change.

    Attributes:
        current: The context for new connections.
    """

    def __new__(cls, current: ssl.SSLContext) -> SwitchableContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: ssl.SSLContext) -> None:
        self.current = current

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Return the TLS object of a new connection."""
        return self.current.wrap_bio(*args, **kwargs)
