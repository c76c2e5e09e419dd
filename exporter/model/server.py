"""Who a server is, and what it can give us."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Generation(StrEnum):
    """The management API that a server speaks."""

    REST = "rest"
    JMAP = "jmap"
    UNKNOWN = "unknown"


class Edition(StrEnum):
    """Which edition a server runs as; telemetry belongs to ``enterprise``."""

    COMMUNITY = "community"
    ENTERPRISE = "enterprise"
    UNKNOWN = "unknown"


class Capability(StrEnum):
    """One thing that a server can give."""

    QUEUE = "queue"
    QUEUE_STATUS = "queue_status"
    OUTGOING_REPORTS = "outgoing_reports"
    REPORTS = "reports"
    INVENTORY = "inventory"
    LOGS = "logs"
    NATIVE_METRICS = "native_metrics"
    STORED_METRICS = "stored_metrics"
    TRACES = "traces"
    EVENT_COUNTERS = "event_counters"
    LIVE_METRICS = "live_metrics"
    LIVE_TRACES = "live_traces"


class CapabilityStatus(StrEnum):
    """Whether it does."""

    AVAILABLE = "available"
    FORBIDDEN = "forbidden"
    NOT_LICENSED = "not_licensed"
    NOT_CONFIGURED = "not_configured"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerIdentity:
    """
    What detection found out about a server.

    Attributes:
        version: Its exact version, or empty: most API keys may not ask for it.
        permissions: What our key may do, or ``None`` if the server does not tell.
        account: Our account's name where the server tells it and our credentials do not, else empty.
        note: One sentence for people where something is out of the ordinary, else empty.
    """

    generation: Generation
    edition: Edition = Edition.UNKNOWN
    version: str = ""
    permissions: frozenset[str] | None = None
    account: str = ""
    note: str = ""
