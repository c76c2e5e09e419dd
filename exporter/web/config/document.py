"""
The web configuration file: TLS, response headers and basic authentication.

Contract: the common file of Prometheus exporters (exporter-toolkit, ``--web.config.file``). A key that is not supported
here is rejected with an error; nothing is ignored, except that HTTP/1.1 is used even if ``http2`` is true.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import SettingsError
from exporter.printable import printable
from exporter.web.config.basic_auth import hash_problem
from exporter.web.config.files import FileProblem, Stamps, read_regular, stamp_files
from exporter.web.config.section import ConfigSection
from exporter.web.config.tls import build_ssl_context
from exporter.web.config.tls_section import ServerTls, parse_tls_section
from exporter.web.config.yaml_document import DocumentError, parse_yaml
from exporter.web.rate_limit import RateLimit, parse_rate_limit

SIZE_LIMIT_BYTES = 256 * 1024

_HEADER_VALUES: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """
    A validated web configuration, ready for use.

    Attributes:
        path: The file itself.
        tls: The listener's TLS settings; ``None`` for plain HTTP.
        ssl_context: Built from *tls*; ``None`` for plain HTTP.
        stamps: The files that were read, as they were just before reading.
        headers: For every response; names in lower case, as ASGI requires.
        users: Password hashes by user name; empty without authentication.
        rate_limit: For all requests together; ``None`` for no limit.
    """

    path: Path
    tls: ServerTls | None = None
    ssl_context: ssl.SSLContext | None = None
    stamps: Stamps = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None


def load_web_config(path: Path) -> WebConfig:
    """
    Read the file and all files it refers to; its paths are relative to it.

    Raises `SettingsError` with every problem found.
    """
    problems: list[str] = []
    stamps = stamp_files([path])
    root = ConfigSection(_parse(path), "", problems)
    tls_section = root.section("tls_server_config")
    tls = parse_tls_section(tls_section, path.parent) if tls_section.given else None
    if tls is not None:
        stamps |= stamp_files(tls.files)
    context = build_ssl_context(tls, tls_section) if tls else None
    headers = _parse_http(root.section("http_server_config"))
    users = _parse_users(root.section("basic_auth_users"))
    rate_limit = parse_rate_limit(root.section("rate_limit"))
    root.finish()
    if problems:
        raise SettingsError([f"{path}: {printable(problem)}" for problem in problems])
    return WebConfig(
        path=path, tls=tls, ssl_context=context, stamps=stamps, headers=headers, users=users, rate_limit=rate_limit
    )


def _parse_http(section: ConfigSection) -> tuple[tuple[bytes, bytes], ...]:
    section.flag("http2", default=True)
    headers = section.section("headers")
    found: list[tuple[bytes, bytes]] = []
    for name, allowed in _HEADER_VALUES.items():
        value = headers.text(name)
        if not value:
            continue
        if allowed and value not in allowed:
            headers.problem(name, f"must be {' or '.join(allowed)}")
        elif not (value.isascii() and value.isprintable()):
            headers.problem(name, "must be printable ASCII on one line")
        else:
            found.append((name.lower().encode(), value.encode()))
    headers.finish("this header cannot be set")
    section.finish()
    return tuple(found)


def _parse_users(section: ConfigSection) -> dict[str, bytes]:
    users: dict[str, bytes] = {}
    for name in section.names():
        # A user without a hash must not count as no user at all: that would disable authentication.
        hashed = section.text(name, required=True)
        if ":" in name:
            section.problem(name, "a user name cannot contain a colon")
        elif hashed is not None:
            if problem := hash_problem(hashed):
                section.problem(name, problem)
            users[name] = hashed.encode("ascii", "replace")
    section.finish()
    return users


def _parse(path: Path) -> object:
    try:
        content = read_regular(path, SIZE_LIMIT_BYTES)
        parsed = parse_yaml(content)
    except FileProblem as problem:
        raise SettingsError([f"{path}: {problem}"]) from None
    except DocumentError as error:
        raise SettingsError([f"{path}: not valid YAML: {error}"]) from None
    return {} if parsed is None else parsed
