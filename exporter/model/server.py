"""A server's identity and capabilities."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Generation(StrEnum):
    """The management API of a server."""

    REST = "rest"
    JMAP = "jmap"
    UNKNOWN = "unknown"


class Edition(StrEnum):
    """The edition that a server runs as; only ``enterprise`` has telemetry."""

    COMMUNITY = "community"
    ENTERPRISE = "enterprise"
    UNKNOWN = "unknown"


class Capability(StrEnum):
    """One thing that a server can provide."""

    QUEUE = "queue"
    QUEUE_STATUS = "queue_status"
    OUTGOING_REPORTS = "outgoing_reports"
    REPORTS = "reports"
    INVENTORY = "inventory"
    ACCOUNTS = "accounts"
    SETTINGS = "settings"
    DOMAIN_RECORDS = "domain_records"
    LOGS = "logs"
    NATIVE_METRICS = "native_metrics"
    STORED_METRICS = "stored_metrics"
    TRACES = "traces"
    EVENT_COUNTERS = "event_counters"
    LIVE_METRICS = "live_metrics"
    LIVE_TRACES = "live_traces"
    WEBHOOKS = "webhooks"


class CapabilityStatus(StrEnum):
    """The status of a capability: available, or why not."""

    AVAILABLE = "available"
    FORBIDDEN = "forbidden"
    NOT_LICENSED = "not_licensed"
    NOT_CONFIGURED = "not_configured"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """
    The result of detection.

    Attributes:
        version: The exact version; empty if unknown, since most API keys may not read it.
        permissions: The key's permissions; ``None`` if the server does not report them.
        account: The name of our account as reported by the server, else empty.
        note: One sentence about anything unusual, else empty.
    """

    generation: Generation
    edition: Edition = Edition.UNKNOWN
    version: str = ""
    permissions: frozenset[str] | None = None
    account: str = ""
    note: str = ""
