"""
Parsing of the session and of the account's permissions.

Contract: Stalwart v0.16, ``GET /jmap/session`` (more detailed with a login) and ``GET /api/account``;
tests/recordings/jmap-0.16.18. The URLs in a session are not used: they contain the server's public name, which may
differ from the configured one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec

from exporter.model.server import Edition
from exporter.stalwart.http.responses import decode_response

CORE = "urn:ietf:params:jmap:core"
USUAL_CALLS = 16
USUAL_OBJECTS = 500

_BOOTSTRAP_PERMISSIONS = frozenset({"sysBootstrapGet", "sysBootstrapUpdate"})

_AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
_EDITIONS = {"enterprise": Edition.ENTERPRISE, "community": Edition.COMMUNITY, "oss": Edition.COMMUNITY}


@dataclass(frozen=True, slots=True)
class JmapLimits:
    """
    A server's limits for one request.

    Attributes:
        calls: The most method calls.
        objects: The most objects in one ``get``.
    """

    calls: int = USUAL_CALLS
    objects: int = USUAL_OBJECTS


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """
    The contents of a session.

    Attributes:
        username: The name of our account.
    """

    limits: JmapLimits
    username: str


@dataclass(frozen=True, slots=True)
class Account:
    """The key's permissions, and the edition that the server currently runs as."""

    permissions: frozenset[str]
    edition: Edition

    @property
    def in_bootstrap(self) -> bool:
        """Whether the server is waiting for its initial setup and serves nothing else."""
        return bool(self.permissions) and self.permissions <= _BOOTSTRAP_PERMISSIONS


class _Core(msgspec.Struct, rename="camel"):
    max_calls_in_request: _AtLeastOne = USUAL_CALLS
    max_objects_in_get: _AtLeastOne = USUAL_OBJECTS


class _Capabilities(msgspec.Struct):
    core: _Core = msgspec.field(name=CORE)


class _Session(msgspec.Struct):
    capabilities: _Capabilities
    username: str = ""


class _Account(msgspec.Struct):
    permissions: list[str]
    edition: str


_session = msgspec.json.Decoder(_Session)
_account = msgspec.json.Decoder(_Account)


def parse_session(body: bytes) -> SessionFacts:
    """Parse a session. Raises `PayloadError`."""
    session = decode_response(_session, body)
    core = session.capabilities.core
    return SessionFacts(JmapLimits(core.max_calls_in_request, core.max_objects_in_get), session.username)


def parse_account(body: bytes) -> Account:
    """Parse permissions and edition. Raises `PayloadError` if one is missing."""
    account = decode_response(_account, body)
    return Account(frozenset(account.permissions), _EDITIONS.get(account.edition, Edition.UNKNOWN))
