"""What a capability's status means to an operator, and what to do about it, in the words of the server's generation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.model.server import Capability, CapabilityStatus, Generation
from exporter.stalwart.jmap.examine import PERMISSIONS


@dataclass(frozen=True, slots=True)
class Need:
    """
    What a capability takes: the permissions of the API key, and the server's own setting if it needs one.

    Attributes:
        in_parts: What some of the permissions are enough for is shown without the others.
    """

    permissions: tuple[str, ...]
    setting: str = ""
    enterprise: bool = False
    in_parts: bool = False


NEEDS: Mapping[Capability, Need] = {
    Capability.QUEUE: Need(("message-queue-list",)),
    Capability.QUEUE_STATUS: Need(("message-queue-get",)),
    Capability.OUTGOING_REPORTS: Need(("outgoing-report-list",)),
    Capability.REPORTS: Need(("incoming-report-list", "incoming-report-get")),
    Capability.INVENTORY: Need(()),
    Capability.LOGS: Need(("logs-view",), "a tracer of type 'log' with a path"),
    Capability.NATIVE_METRICS: Need((), "metrics.prometheus.enable, with the login of metrics.prometheus.auth"),
    Capability.STORED_METRICS: Need(("metrics-list",), "metrics.history.enable", enterprise=True),
    Capability.TRACES: Need(("tracing-list", "tracing-get"), "tracing.history.enable", enterprise=True),
    Capability.EVENT_COUNTERS: Need(()),
    Capability.LIVE_METRICS: Need(("metrics-live",), enterprise=True),
    Capability.LIVE_TRACES: Need(("tracing-live",), enterprise=True),
}
"""Of servers up to v0.15."""

JMAP_SETTINGS: Mapping[Capability, str] = {
    Capability.LOGS: "an enabled Tracer of type Log",
    Capability.NATIVE_METRICS: "Metrics.prometheus of type Enabled, with a login of its own",
    Capability.STORED_METRICS: "a MetricsStore",
    Capability.TRACES: "a TracingStore",
    Capability.EVENT_COUNTERS: "an upgrade to v0.16.12 or newer: older ones misname their counters",
}
"""From v0.16 on, where settings are objects."""

IN_PARTS = frozenset({Capability.INVENTORY})


def advice_for(capability: Capability, status: CapabilityStatus, generation: Generation = Generation.REST) -> str:
    """One sentence for people; empty where there is nothing to do."""
    need = _need(capability, generation)
    if status is CapabilityStatus.FORBIDDEN:
        if not need.permissions:
            return "The server wants a login of its own here: set native_username and native_password_file."
        if need.in_parts:
            return f"The API key lacks some of {', '.join(need.permissions)}; what it may see is shown."
        return f"The API key lacks {_some_of(need.permissions)}."
    if status is CapabilityStatus.NOT_CONFIGURED:
        return f"Off on the server; it is turned on by {need.setting}." if need.setting else "Off on the server."
    if status is CapabilityStatus.NOT_LICENSED:
        return "The server has no valid Enterprise licence."
    if status is CapabilityStatus.UNSUPPORTED:
        return "Part of the Enterprise edition." if need.enterprise else "This server does not have it."
    return ""


def _need(capability: Capability, generation: Generation) -> Need:
    need = NEEDS[capability]
    if generation is not Generation.JMAP:
        return need
    permissions = PERMISSIONS.get(capability, ())
    return Need(permissions, JMAP_SETTINGS.get(capability, ""), need.enterprise, capability in IN_PARTS)


def _some_of(permissions: tuple[str, ...]) -> str:
    # Reports take six in v0.16, of which perhaps one is missing.
    return " and ".join(permissions) if len(permissions) < 3 else f"one or more of {', '.join(permissions)}"
