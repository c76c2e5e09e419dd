"""How a server's certificate is checked, and which one of ours it is shown."""

from __future__ import annotations

import ssl
from pathlib import Path

from exporter.errors import SettingsError


def client_context(
    *, ca_file: Path | None = None, verify: bool = True, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """
    A context that trusts the system's authorities, or only those in *ca_file* (PEM), and shows *cert_file*.

    Raises `SettingsError` that begins with the name of the file's setting if a file cannot be used. With *verify* off
    nothing is checked, names included.
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
        # Without a password OpenSSL would ask the terminal for one.
        context.load_cert_chain(cert_file, key_file, password="")
    except ssl.SSLError as error:
        fault = "does not belong to the certificate" if "MISMATCH" in (error.reason or "") else "cannot be used"
        raise SettingsError([f"{setting}: the private key in {path} {fault}"]) from error
    except OSError as error:
        raise SettingsError([f"{setting}: {path} and its certificate cannot be read: {error.strerror}"]) from error
