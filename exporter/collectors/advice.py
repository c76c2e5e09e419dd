"""What a capability's status means to an operator, and what to do about it, in the terms of the server's generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from exporter.model.server import Capability, CapabilityStatus, Generation
from exporter.stalwart.jmap.probe import PERMISSIONS


@dataclass(frozen=True, slots=True)
class Need:
    """
    Requirements of a capability: the API key's permissions, and the server's setting if it needs one.

    Attributes:
        in_parts: Whether some of the permissions suffice for part of the capability.
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
    Capability.ACCOUNTS: Need(("individual-list",)),
    Capability.SETTINGS: Need(()),
    Capability.DOMAIN_RECORDS: Need(("domain-list", "domain-get"), in_parts=True),
    Capability.LOGS: Need(("logs-view",), "a tracer of type 'log' with a path"),
    Capability.NATIVE_METRICS: Need((), "metrics.prometheus.enable, with the login of metrics.prometheus.auth"),
    Capability.STORED_METRICS: Need(("metrics-list",), "metrics.history.enable", enterprise=True),
    Capability.TRACES: Need(("tracing-list", "tracing-get"), "tracing.history.enable", enterprise=True),
    Capability.EVENT_COUNTERS: Need(()),
    Capability.LIVE_METRICS: Need(("metrics-live",), enterprise=True),
    Capability.LIVE_TRACES: Need(("tracing-live",), enterprise=True),
    Capability.WEBHOOKS: Need(()),
}
"""For servers up to v0.15."""

JMAP_SETTINGS: Mapping[Capability, str] = {
    Capability.LOGS: "an enabled Tracer of type Log",
    Capability.NATIVE_METRICS: "Metrics.prometheus of type Enabled, with a login of its own",
    Capability.STORED_METRICS: "a MetricsStore",
    Capability.TRACES: "a TracingStore",
    Capability.EVENT_COUNTERS: "an upgrade to v0.16.12 or newer: older ones misname their counters",
}
"""For servers from v0.16 on, whose settings are objects."""

PAGE_LOGIN: Mapping[Generation, str] = {
    Generation.REST: "metrics.prometheus.auth.username and metrics.prometheus.auth.secret",
    Generation.JMAP: "authUsername and authSecret of Metrics.prometheus",
}
"""Where a server keeps the login of its metrics page."""

SECRETS_TOO = (
    "Optional: the key lacks individual-list. Grant it only if the numbers of accounts and quotas are worth it: up to "
    "v0.15 it also lets the key read every password hash."
)
NO_SETTINGS = (
    "Optional: the key may read no settings. With permissions to get them, such as that of MtaStageRcpt, a change "
    "shows; values are not kept."
)
NO_POSTS = "No signed post has arrived; stalwart-exporter webhook prints the server's settings."

IN_PARTS = frozenset({Capability.INVENTORY, Capability.DOMAIN_RECORDS})


def advice_for(
    capability: Capability,
    status: CapabilityStatus,
    generation: Generation = Generation.REST,
    *,
    lacking: Sequence[str] = (),
) -> str:
    """
    Return one sentence for the operator; empty if there is nothing to do.

    *lacking* are the permissions that the key is known to lack; if empty, all required permissions are named.
    """
    if capability is Capability.WEBHOOKS:
        return "" if status is CapabilityStatus.AVAILABLE else NO_POSTS
    if capability is Capability.ACCOUNTS and generation is Generation.REST and status is CapabilityStatus.FORBIDDEN:
        return SECRETS_TOO
    if capability is Capability.SETTINGS and status is CapabilityStatus.FORBIDDEN:
        return NO_SETTINGS
    need = _need(capability, generation)
    if status is CapabilityStatus.FORBIDDEN:
        if not need.permissions:
            settings = "native_username and native_password_file"
            return f"The page has a separate login: set {settings} to {_login(generation)}."
        lacks = f"The API key lacks {_listed(lacking) if lacking else _some_of(need.permissions)}"
        return f"{lacks}; what it may read is shown." if need.in_parts else f"{lacks}."
    if status is CapabilityStatus.NOT_CONFIGURED:
        return f"Disabled on the server; enable {need.setting}." if need.setting else "Disabled on the server."
    if status is CapabilityStatus.NOT_LICENSED:
        return "The server has no valid Enterprise licence."
    if status is CapabilityStatus.UNSUPPORTED:
        return "Part of the Enterprise edition." if need.enterprise else "This server does not support it."
    return ""


def _need(capability: Capability, generation: Generation) -> Need:
    need = NEEDS[capability]
    if generation is not Generation.JMAP:
        return need
    permissions = PERMISSIONS.get(capability, ())
    return Need(permissions, JMAP_SETTINGS.get(capability, ""), need.enterprise, capability in IN_PARTS)


def lacking_for(capability: Capability, generation: Generation, held: Set[str] | None) -> Sequence[str]:
    """Return the required permissions of *capability* that are not in *held*; empty if *held* is not disclosed."""
    return [] if held is None else [name for name in _need(capability, generation).permissions if name not in held]


def refused_login(generation: Generation) -> str:
    """Return one sentence for an operator whose login the server's metrics page refuses."""
    return f"The server refuses native_username and its password: they must be {_login(generation)} there."


def _login(generation: Generation) -> str:
    return PAGE_LOGIN.get(generation, PAGE_LOGIN[Generation.REST])


def _some_of(permissions: Sequence[str]) -> str:
    match permissions:
        case [only]:
            return only
        case [one, other]:
            return f"{one} and {other}, or one of them"
    # Reports need six permissions in v0.16, of which perhaps one is missing.
    return f"one or more of {', '.join(permissions)}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
