"""TLS contexts: how a server's certificate is verified, and the client certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from exporter.errors import SettingsError


def client_context(
    *, ca_file: Path | None = None, verify: bool = True, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """
    Return a context that trusts the system trust store, or only *ca_file* (PEM), and presents *cert_file*.

    Raises `SettingsError` if a file cannot be used; the message begins with the name of its setting. Without *verify*
    neither the certificate nor its name is checked.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"ca_file: not a readable file of PEM certificates: {ca_file}"]) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file is not None:
        _show_certificate(context, cert_file, key_file)
    return context


def _show_certificate(context: ssl.SSLContext, cert_file: Path, key_file: Path | None) -> None:
    setting, path = ("cert_file", cert_file) if key_file is None else ("key_file", key_file)
    try:
        # Without a password OpenSSL would prompt for one on the terminal.
        context.load_cert_chain(cert_file, key_file, password="")
    except ssl.SSLError as error:
        fault = "does not belong to the certificate" if "MISMATCH" in (error.reason or "") else "cannot be used"
        raise SettingsError([f"{setting}: the private key in {path} {fault}"]) from error
    except OSError as error:
        raise SettingsError([f"{setting}: {path} and its certificate cannot be read: {error.strerror}"]) from error
