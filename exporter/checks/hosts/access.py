"""How hosts are reached, and how that fails."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


class HostSilent(Exception):
    """A host could not be reached from here, which says nothing about its other clients; the message says why."""


class HostRefused(HostSilent):
    """A host refuses connections to a port: nothing listens there, or somebody in between says so."""


class HostWrong(Exception):
    """A host answered as it should not; the message says how."""


@dataclass(frozen=True, slots=True)
class HostAccess:
    """
    How hosts are reached.

    Attributes:
        tls: Verifies policy hosts; ``None``: the system's trust store.
        timeout_seconds: Deadline for a whole exchange.
        ca_file: Authorities (PEM) for certificates of listeners; ``None``: the system's.
        https_port, smtp_port: The well-known ports; others are for tests.
    """

    tls: ssl.SSLContext | None
    timeout_seconds: float
    ca_file: Path | None = None
    https_port: int = 443
    smtp_port: int = 25
