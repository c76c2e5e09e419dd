"""The section ``tls_server_config`` of the web configuration, validated against the local OpenSSL."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.web.config.section import ConfigSection
from exporter.web.config.tls_names import CURVES, TLS12_SUITES, TLS13_SUITES

_VERSIONS: Mapping[str, ssl.TLSVersion] = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")

_CLIENT_AUTH: Mapping[str, ssl.VerifyMode] = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_UNVERIFIED_CLIENT_AUTH = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """
    The listener's TLS settings.

    Attributes:
        client_ca_file: ``None`` if no client certificate is requested.
        client_allowed_sans: A client certificate must have one of these names; empty allows any.
        ciphers: OpenSSL's names, for TLS 1.2; empty means OpenSSL's defaults.
        curve: OpenSSL's name of the only curve; ``None`` means OpenSSL's defaults.
    """

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None
    client_auth: ssl.VerifyMode
    client_allowed_sans: tuple[str, ...]
    minimum_version: ssl.TLSVersion
    maximum_version: ssl.TLSVersion
    ciphers: tuple[str, ...]
    curve: str | None
    prefer_server_ciphers: bool

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that these settings refer to."""
        return tuple(path for path in (self.cert_file, self.key_file, self.client_ca_file) if path is not None)


def parse_tls_section(section: ConfigSection, directory: Path) -> ServerTls | None:
    """Parse the section, with paths relative to *directory*; ``None`` if certificate or key are missing."""
    for key in ("cert", "key", "client_ca"):
        section.refuse(key, f"certificates and keys cannot be inline; use {key}_file")
    cert_file = _parse_path(section, "cert_file", directory, required=True)
    key_file = _parse_path(section, "key_file", directory, required=True)
    client_auth = _parse_client_auth(section)
    client_ca_file = _parse_client_ca(section, directory, client_auth)
    sans = section.texts("client_allowed_sans")
    if sans and client_auth is ssl.CERT_NONE:
        section.problem("client_allowed_sans", "has no effect unless client_auth_type verifies client certificates")
    minimum = _parse_version(section, "min_version", ssl.TLSVersion.TLSv1_2)
    maximum = _parse_version(section, "max_version", ssl.TLSVersion.TLSv1_3)
    if minimum > maximum:
        section.problem("min_version", "is newer than max_version")
    ciphers = _parse_ciphers(section, minimum)
    curve = _parse_curve(section)
    prefer_server_ciphers = section.flag("prefer_server_cipher_suites", default=True)
    section.finish()
    if cert_file is None or key_file is None:
        return None
    return ServerTls(
        cert_file=cert_file,
        key_file=key_file,
        client_ca_file=client_ca_file,
        client_auth=ssl.CERT_NONE if client_auth is None else client_auth,
        client_allowed_sans=sans,
        minimum_version=minimum,
        maximum_version=maximum,
        ciphers=ciphers,
        curve=curve,
        prefer_server_ciphers=prefer_server_ciphers,
    )


def _parse_path(section: ConfigSection, key: str, directory: Path, *, required: bool) -> Path | None:
    text = section.text(key)
    if text and not text.isprintable():
        section.problem(key, "contains a control character")
        return None
    if text:
        return directory / text
    if required:
        section.problem(key, "is missing; TLS needs cert_file and key_file")
    return None


def _parse_client_auth(section: ConfigSection) -> ssl.VerifyMode | None:
    """Return the verification mode; ``None`` if it is not supported."""
    value = section.choice("client_auth_type", (*_CLIENT_AUTH, *_UNVERIFIED_CLIENT_AUTH), "NoClientCert")
    if value in _UNVERIFIED_CLIENT_AUTH:
        section.problem(
            "client_auth_type",
            f"{value}: client certificates cannot be requested without verifying them; "
            "use VerifyClientCertIfGiven or RequireAndVerifyClientCert",
        )
    return _CLIENT_AUTH.get(value or "")


def _parse_client_ca(section: ConfigSection, directory: Path, client_auth: ssl.VerifyMode | None) -> Path | None:
    path = _parse_path(section, "client_ca_file", directory, required=False)
    if path is not None and client_auth is ssl.CERT_NONE:
        section.problem("client_ca_file", "has no effect unless client_auth_type verifies client certificates")
        return None
    if path is None and client_auth in (ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED):
        section.problem(
            "client_ca_file", "is missing; without it, certificates of every public authority would be accepted"
        )
    return path


def _parse_version(section: ConfigSection, key: str, default: ssl.TLSVersion) -> ssl.TLSVersion:
    value = section.choice(key, (*_VERSIONS, *_OLD_VERSIONS), "")
    if value in _OLD_VERSIONS:
        section.problem(key, f"{value}: versions before TLS 1.2 are not supported; use TLS12 or TLS13")
    return _VERSIONS.get(value or "", default)


def _parse_ciphers(section: ConfigSection, minimum: ssl.TLSVersion) -> tuple[str, ...]:
    """Return the TLS 1.2 suites; TLS 1.3 suites cannot be selected, so a list must have all of them or none."""
    key = "cipher_suites"
    names = section.texts(key)
    unknown = [name for name in names if name not in TLS12_SUITES and name not in TLS13_SUITES]
    for name in unknown:
        section.problem(key, f"{name!r} is unknown or no longer secure")
    older = tuple(TLS12_SUITES[name] for name in names if name in TLS12_SUITES)
    for cipher in older:
        if not _is_available(cipher):
            section.problem(key, f"the OpenSSL in use ({ssl.OPENSSL_VERSION}) does not have {cipher}")
    newest = TLS13_SUITES.intersection(names)
    if newest and newest != TLS13_SUITES:
        section.problem(
            key,
            f"TLS 1.3 suites cannot be chosen individually: name none or all ({', '.join(sorted(TLS13_SUITES))})",
        )
    if names and not older and not unknown and minimum < ssl.TLSVersion.TLSv1_3:
        section.problem(key, "has no suite for TLS 1.2; add one, or set min_version: TLS13")
    return older


def _is_available(cipher: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.set_ciphers(cipher)
    except ssl.SSLError:
        return False
    return any(found["name"] == cipher for found in context.get_ciphers())


def _parse_curve(section: ConfigSection) -> str | None:
    key = "curve_preferences"
    names = section.texts(key)
    for name in names:
        if name not in CURVES:
            section.problem(key, f"{name!r} is not known; must be one of {', '.join(CURVES)}")
    if len(names) > 1:
        section.problem(key, "several curves in order are not supported; name one, or omit this")
    if len(names) != 1 or names[0] not in CURVES:
        return None
    if not _is_settable(CURVES[names[0]]):
        section.problem(key, f"{names[0]} is not supported as the only curve; omit this to offer it among others")
        return None
    return CURVES[names[0]]


def _is_settable(curve: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(curve)
    except (ValueError, ssl.SSLError):
        return False
    return True
