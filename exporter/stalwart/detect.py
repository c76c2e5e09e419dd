"""
Detection of a server's generation, version and edition.

Contract: Stalwart v0.10-v0.16. Up to v0.15 every path under ``/api`` requires credentials; v0.16 returns 404 for
unknown paths, which include the queue's. Credentials are sent only once the generation is known.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from exporter.errors import (
    PayloadError,
    TargetForbidden,
    TargetUnsupported,
)
from exporter.model.server import Edition, Generation, ServerIdentity
from exporter.stalwart.http.allowlist import VERSION_REQUEST, Endpoint
from exporter.stalwart.http.endpoint import Login
from exporter.stalwart.http.responses import AuthenticationRequired, decode_response
from exporter.stalwart.http.transport import Transport


class _Session(msgspec.Struct):
    """The members by which a JMAP session is recognised."""

    capabilities: dict[str, object]
    apiUrl: str


class Version(msgspec.Struct):
    """The server's release and edition, and the caller's permissions."""

    permissions: list[str]
    isEnterprise: bool
    version: str = ""


class _VersionAnswer(msgspec.Struct):
    data: Version


_session = msgspec.json.Decoder(_Session)
_version = msgspec.json.Decoder(_VersionAnswer)


class RestDetector:
    """
    The `Detector` that determines the generation and identifies servers from v0.10 to v0.15.

    Args:
        ask_version: Whether to request the exact version too; most keys lack the permission for it.
    """

    def __init__(self, transport: Transport, *, ask_version: bool = False) -> None:
        self._transport = transport
        self._ask_version = ask_version

    async def detect(self) -> ServerIdentity:
        """
        Identify the server; from v0.16 on only the generation, without credentials.

        If the response is not Stalwart's, returns `Generation.UNKNOWN` and a note. Raises `TargetRefused` after one
        request with refused credentials, and other `TargetError` if the server cannot be identified.
        """
        # The server may not be the one that lacked a feature.
        self._transport.forget_missing_features()
        try:
            await self._transport.request(Endpoint.QUEUE_STATUS, credentials=Login.NONE)
        except AuthenticationRequired:
            return await self._ask_with_credentials()
        except TargetUnsupported:
            return await self._ask_for_session()
        except TargetForbidden:
            return _unknown(
                "it denies everyone access to the API (HTTP 403): an http.allowed-endpoint rule, or a proxy"
            )
        return _unknown("it accepts requests without credentials: a proxy that adds its own, or another program")

    async def _ask_for_session(self) -> ServerIdentity:
        try:
            decode_response(_session, await self._transport.request(Endpoint.JMAP_SESSION, credentials=Login.NONE))
        except (AuthenticationRequired, TargetUnsupported, TargetForbidden, PayloadError) as error:
            return _unknown(
                "it has neither the management API of v0.10-v0.15 nor a JMAP session: a wrong port or path, a proxy, "
                f"or an http.allowed-endpoint rule ({error})"
            )
        return ServerIdentity(generation=Generation.JMAP)

    async def _ask_with_credentials(self) -> ServerIdentity:
        identity = ServerIdentity(generation=Generation.REST)
        try:
            await self._transport.request(Endpoint.QUEUE_STATUS)
        except TargetForbidden as error:
            identity = replace(identity, note=str(error))
        except TargetUnsupported:
            identity = replace(identity, note="Stalwart v0.10: it does not report whether the queue is running")
        return await self._ask_for_version(identity) if self._ask_version else identity

    async def _ask_for_version(self, identity: ServerIdentity) -> ServerIdentity:
        try:
            found = await fetch_version(self._transport)
        except (TargetForbidden, TargetUnsupported) as error:
            unasked = f"version unknown: {error}"
            return replace(identity, note=f"{identity.note}; {unasked}" if identity.note else unasked)
        return replace(
            identity,
            version=found.version,
            edition=Edition.ENTERPRISE if found.isEnterprise else Edition.COMMUNITY,
            permissions=frozenset(found.permissions),
        )


async def fetch_version(transport: Transport) -> Version:
    """
    Fetch the version of a server from v0.10 to v0.15 and the key's permissions.

    Raises a `TargetError`; for most keys, `TargetForbidden`.
    """
    return decode_response(_version, await transport.request(Endpoint.VERSION, body=VERSION_REQUEST)).data


def _unknown(note: str) -> ServerIdentity:
    return ServerIdentity(generation=Generation.UNKNOWN, note=f"not a known Stalwart management API: {note}")
