"""Warnings about settings that are allowed but risky."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from exporter.errors import quote
from exporter.settings.addresses import is_loopback
from exporter.settings.files import is_world_readable
from exporter.settings.models import Settings
from exporter.settings.servers.server import ServerSettings

_INLINE_SECRETS = ("password", "token", "native_password")
_INNER_SECRETS = (
    "webhook.secret",
    "operator.password",
    "operator.token",
    "probes.password",
    "probes.token",
    "probes.round_trip.password",
)
_SECRET_FILES = ("password_file", "token_file", "native_password_file")


def risks_of(settings: Settings) -> Iterator[str]:
    """Yield one line per risk in valid settings, with the path of the setting."""
    listen = settings.webhooks.listen
    if listen is not None and not is_loopback(listen.host):
        yield (
            "webhooks.listen: posts contain mail addresses and cross the network unencrypted; "
            "use loopback, a network of your own, or a proxy with TLS in front"
        )
    for index, server in enumerate(settings.servers):
        for path, text in _risks_of_server(server):
            yield f"servers[{index}].{path}: {text}"


def risks_of_file(path: Path, tables: Mapping[str, Any]) -> Iterator[str]:
    """Yield a warning if the file contains a secret and is world-readable; *tables* are without the environment."""
    servers = tables.get("servers", [])
    inline = [
        f"servers[{index}].{key}"
        for index, server in enumerate(servers if isinstance(servers, list) else [])
        if isinstance(server, Mapping)
        for key in (*_INLINE_SECRETS, *_INNER_SECRETS)
        if _given(server, key)
    ]
    if inline and is_world_readable(path):
        yield (
            f"{inline[0]}: stands in {quote(str(path))}, which every user of this machine can read; "
            f"take that right away (chmod o-r) or use {inline[0].rpartition('.')[2]}_file"
        )


def _given(server: Mapping[str, Any], key: str) -> bool:
    inner: object = server
    for name in key.split("."):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    return bool(inner)


def _risks_of_server(server: ServerSettings) -> Iterator[tuple[str, str]]:
    if server.url.startswith("http://") and not server.is_loopback:
        yield (
            "url",
            "plain http to a host that is not loopback: the credentials cross the network unencrypted; use https",
        )
    if server.tls.insecure_skip_verify:
        yield (
            "tls.insecure_skip_verify",
            "any certificate is accepted, so anyone on the network path can read the credentials; "
            "use tls.ca_file instead",
        )
        if server.tls.ca_file is not None:
            yield "tls.ca_file", "has no effect with tls.insecure_skip_verify"
    if server.streams.transport == "websocket":
        yield (
            "streams.transport",
            "servers from v0.16 on offer no WebSocket, so they have no live streams; use auto",
        )
    files = [(key, getattr(server, key)) for key in _SECRET_FILES]
    for key, path in (
        *files,
        ("tls.key_file", server.tls.key_file),
        ("webhook.secret_file", server.webhook.secret_file),
        ("operator.password_file", server.operator.password_file),
        ("operator.token_file", server.operator.token_file),
        ("probes.password_file", server.probes.password_file),
        ("probes.token_file", server.probes.token_file),
        ("probes.round_trip.password_file", server.probes.round_trip.password_file),
    ):
        if path is not None and is_world_readable(path):
            yield key, "every user of this machine can read the file; restrict it (chmod o-r)"
