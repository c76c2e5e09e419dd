"""
The web configuration file: TLS, response headers and basic authentication.

Contract: the file that Prometheus exporters share (exporter-toolkit, ``--web.config.file``). Whatever in it cannot be
honoured here is refused in words; nothing is ignored, except that ``http2`` may say true and HTTP/1.1 is what is
spoken.
"""

from __future__ import annotations

import ssl
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from exporter.errors import SettingsError
from exporter.web.basic_auth import hash_problem
from exporter.web.config_section import Section
from exporter.web.file_stamps import Stamps, stamp_files
from exporter.web.tls import build_ssl_context
from exporter.web.tls_section import read_tls_section

SIZE_LIMIT_BYTES = 1_000_000

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
    A web configuration, checked and ready to be put in force.

    Attributes:
        path: The file itself.
        ssl_context: ``None`` for plain HTTP.
        stamps: The files that it was made from, as they were just before they were read.
        headers: For every response; names in lower case, as ASGI wants them.
        users: Password hashes by user name; empty if no authentication is asked for.
    """

    path: Path
    ssl_context: ssl.SSLContext | None = None
    stamps: Stamps = field(default_factory=dict)
    headers: tuple[tuple[bytes, bytes], ...] = ()
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)


def load_web_config(path: Path) -> WebConfig:
    """
    Reads the file and all it points to; paths in it are relative to it.

    Raises `SettingsError` with every problem that could be found at once.
    """
    problems: list[str] = []
    stamps = stamp_files([path])
    root = Section(_parse(path), "", problems)
    tls_section = root.section("tls_server_config")
    tls = read_tls_section(tls_section, path.parent) if tls_section.given else None
    if tls is not None:
        stamps |= stamp_files(tls.files)
    context = build_ssl_context(tls, tls_section) if tls else None
    headers = _read_http(root.section("http_server_config"))
    users = _read_users(root.section("basic_auth_users"))
    root.refuse("rate_limit", "requests are not rate limited here; leave this to a reverse proxy")
    root.finish()
    if problems:
        raise SettingsError([f"{path}: {problem}" for problem in problems])
    return WebConfig(path=path, ssl_context=context, stamps=stamps, headers=headers, users=users)


def _read_http(section: Section) -> tuple[tuple[bytes, bytes], ...]:
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
    headers.finish("this header cannot be set here")
    section.finish()
    return tuple(found)


def _read_users(section: Section) -> dict[str, bytes]:
    users: dict[str, bytes] = {}
    for name in section.names():
        # A user without a hash must not pass for no user at all: that would open the door.
        hashed = section.text(name, required=True)
        if ":" in name:
            section.problem(name, "a user name cannot hold a colon")
        elif hashed is not None:
            if problem := hash_problem(hashed):
                section.problem(name, problem)
            users[name] = hashed.encode("ascii", "replace")
    section.finish()
    return users


def _parse(path: Path) -> object:
    try:
        with path.open("rb") as file:
            content = file.read(SIZE_LIMIT_BYTES + 1)
    except OSError as error:
        raise SettingsError([f"{path}: {error.strerror or error}"]) from error
    if len(content) > SIZE_LIMIT_BYTES:
        raise SettingsError([f"{path}: larger than {SIZE_LIMIT_BYTES} bytes"])
    try:
        # The loader is safe: it derives from yaml.SafeLoader.
        parsed: object = yaml.load(content, Loader=_UniqueKeyLoader)  # noqa: S506 - see above
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: {_yaml_problem(error)}"]) from error
    return {} if parsed is None else parsed


def _yaml_problem(error: Exception) -> str:
    """The place and the kind of the mistake, without the line itself: it may hold a password hash."""
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be read as text"
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return f"not valid YAML: {place}{problem}"


class _UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a mapping that names a key twice, of which YAML's own loader would keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, Hashable) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
            if isinstance(key, Hashable):
                seen.add(key)
        return super().construct_mapping(node, deep)
