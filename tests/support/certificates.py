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

    def issue_dated(self, name: str, san: str, *, begins: str, ends: str) -> Identity:
        """A certificate for other dates, such as ``20260101000000Z``."""
        issued = Identity(self._directory / f"{self._name}-{name}.pem", self._directory / f"{self._name}-{name}.key")
        request, config = issued.cert.with_suffix(".csr"), issued.cert.with_suffix(".cnf")
        index, serial = issued.cert.with_suffix(".index"), issued.cert.with_suffix(".serial")
        index.write_text("")
        serial.write_text("01\n")
        config.write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={index}\nnew_certs_dir={self._directory}\nserial={serial}\n"
            "default_md=sha256\npolicy=any\ncopy_extensions=copy\n[any]\ncommonName=supplied\n"
        )
        _openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName={san}", "-keyout", issued.key, "-out", request),
        )
        _openssl(
            *("ca", "-batch", "-notext", "-config", config, "-cert", self.cert, "-keyfile", self.identity.key),
            *("-in", request, "-out", issued.cert, "-startdate", begins, "-enddate", ends),
        )
        return issued

    def intermediate(self, name: str) -> Authority:
        """An authority that this one has signed."""
        made = object.__new__(Authority)
        made._directory, made._name = self._directory, name
        made.identity = Identity(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        _openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
            *("-CA", self.identity.cert, "-CAkey", self.identity.key, "-subj", f"/CN={name}"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            *("-keyout", made.identity.key, "-out", made.identity.cert),
        )
        return made


def with_chain(identity: Identity, *authorities: Authority) -> Identity:
    """The same identity, which sends the certificates of *authorities* along."""
    chain = identity.cert.with_name(f"{identity.cert.stem}-chain.pem")
    chain.write_bytes(b"".join(path.read_bytes() for path in (identity.cert, *(one.cert for one in authorities))))
    return Identity(chain, identity.key)


def self_signed(directory: Path, name: str, san: str) -> Identity:
    """A certificate that nobody has issued."""
    made = Identity(directory / f"{name}.pem", directory / f"{name}.key")
    _openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"),
        *("-subj", f"/CN={name}", "-addext", f"subjectAltName={san}", "-keyout", made.key, "-out", made.cert),
    )
    return made


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=60)


def client_context(authority: Authority, identity: Identity | None = None) -> ssl.SSLContext:
    """A client that trusts the authority and shows an identity if it has one."""
    context = ssl.create_default_context(cafile=str(authority.cert))
    if identity is not None:
        context.load_cert_chain(identity.cert, identity.key)
    return context
