"""Certificates and the authorities that issue them, made with OpenSSL."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """A certificate authority in a directory, made with the ``openssl`` command line."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self.identity = Identity(directory / f"{name}.pem", directory / f"{name}.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", self.identity.key, "-out", self.identity.cert),
        )

    @property
    def cert(self) -> Path:
        return self.identity.cert

    def issue(self, name: str, san: str, *, usage: str = "serverAuth,clientAuth") -> Identity:
        """A certificate signed by this authority, such as ``DNS:localhost,IP:127.0.0.1``."""
        issued = Identity(self._directory / f"{self._name}-{name}.pem", self._directory / f"{self._name}-{name}.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-CA", self.identity.cert, "-CAkey", self.identity.key, "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName={san}", "-addext", f"extendedKeyUsage={usage}"),
            *("-addext", "basicConstraints=critical,CA:FALSE"),
            *("-keyout", issued.key, "-out", issued.cert),
        )
        return issued


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def client_context(authority: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    """A client that trusts the authority and shows an identity if it has one."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    return context
