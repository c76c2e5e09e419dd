"""
Which server is it?

Contract: Stalwart v0.10-v0.16. Up to v0.15 every path under ``/api`` asks for credentials; from v0.16 on unknown ones
do not, and the queue's is unknown there. Credentials go to a server only after it has shown that they are for it.
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
from exporter.stalwart.http.allowlist import VERSION_REQUEST, Endpoint, Login
from exporter.stalwart.http.responses import AuthenticationRequired, decode_response
from exporter.stalwart.http.transport import Transport


class _Session(msgspec.Struct):
    """What makes a document a JMAP session."""

    capabilities: dict[str, object]
    apiUrl: str


class Version(msgspec.Struct):
    """What the server says of its release and edition, and of what the caller may do."""

    permissions: list[str]
    isEnterprise: bool
    version: str = ""


class _VersionAnswer(msgspec.Struct):
    data: Version


_session = msgspec.json.Decoder(_Session)
_version = msgspec.json.Decoder(_VersionAnswer)


class RestDetector:
    """
    The `Detector` that tells the generations apart, and asks a server of v0.10-v0.15 the rest.

    Args:
        ask_version: Whether to ask for the exact version too, for which most keys lack the permission.
    """

    def __init__(self, transport: Transport, *, ask_version: bool = False) -> None:
        self._transport = transport
        self._ask_version = ask_version

    async def detect(self) -> ServerIdentity:
        """
        Who the server is; of v0.16 and newer no more than that, and without credentials.

        An answer that is no Stalwart's gives `Generation.UNKNOWN` and a note. Raises `TargetRefused` after one request
        with refused credentials, and other `TargetError` where nothing could be found out.
        """
        # The server may be another one than the one that lacked something.
        self._transport.forget_absence()
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
            told = await fetch_version(self._transport)
        except (TargetForbidden, TargetUnsupported) as error:
            unasked = f"version unknown: {error}"
            return replace(identity, note=f"{identity.note}; {unasked}" if identity.note else unasked)
        return replace(
            identity,
            version=told.version,
            edition=Edition.ENTERPRISE if told.isEnterprise else Edition.COMMUNITY,
            permissions=frozenset(told.permissions),
        )


async def fetch_version(transport: Transport) -> Version:
    """
    Ask a server of v0.10-v0.15 for its version, and for what our key may do.

    Raises a `TargetError`, `TargetForbidden` for most keys.
    """
    return decode_response(_version, await transport.request(Endpoint.VERSION, body=VERSION_REQUEST)).data


def _unknown(note: str) -> ServerIdentity:
    return ServerIdentity(generation=Generation.UNKNOWN, note=f"not a known Stalwart management API: {note}")
