"""How a server's certificate is checked."""

from __future__ import annotations

import ssl
from pathlib import Path

from exporter.errors import SettingsError


def client_context(*, ca_file: Path | None = None, verify: bool = True) -> ssl.SSLContext:
    """
    A context that trusts the system's authorities, or only those in *ca_file* (PEM).

    Raises `SettingsError` if the file cannot be used. With *verify* off nothing is checked, names included.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ssl.SSLError) as error:
        raise SettingsError([f"ca_file: not a readable file of PEM certificates: {ca_file}"]) from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
