"""
What a key may do on a server of v0.16 or newer, told from its list of permissions: nothing is refused for it.

The server's own metrics page has a login of its own, and is asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from exporter.errors import TargetForbidden, TargetRefused, TargetUnsupported
from exporter.model.server import Capability, CapabilityStatus, Edition, ServerIdentity
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.rest.examine import Examination


def _both(*objects: str) -> tuple[str, ...]:
    return tuple(f"sys{name}{verb}" for name in objects for verb in ("Get", "Query"))


PERMISSIONS: Mapping[Capability, tuple[str, ...]] = {
    Capability.QUEUE: _both("QueuedMessage"),
    Capability.OUTGOING_REPORTS: ("sysDmarcInternalReportQuery", "sysTlsInternalReportQuery"),
    Capability.REPORTS: _both("DmarcExternalReport", "TlsExternalReport", "ArfExternalReport"),
    Capability.INVENTORY: (
        "sysAccountQuery",
        "sysDomainQuery",
        *_both("Certificate", "Task", "BlockedIp"),
        "sysClusterNodeGet",
    ),
    Capability.LOGS: _both("Log"),
    Capability.STORED_METRICS: _both("Metric"),
    Capability.TRACES: _both("Trace"),
    Capability.LIVE_METRICS: ("liveMetrics",),
    Capability.LIVE_TRACES: ("liveTracing",),
}
"""What each capability takes; every one takes `authenticate` too."""

LICENSED = frozenset({Capability.STORED_METRICS, Capability.TRACES, Capability.LIVE_METRICS, Capability.LIVE_TRACES})


async def examine(client: JmapClient, identity: ServerIdentity) -> Examination:
    """
    The status of each capability, and the permissions that are missing for what the server could give.

    *identity* is what `identify` has just found. What is available may still not be configured: that only asking tells.
    """
    permissions = identity.permissions or frozenset()
    statuses = {Capability.QUEUE_STATUS: CapabilityStatus.UNSUPPORTED}
    missing: list[str] = []
    for capability, needed in PERMISSIONS.items():
        lacking = [name for name in ("authenticate", *needed) if name not in permissions]
        if capability in LICENSED and identity.edition is Edition.COMMUNITY:
            statuses[capability] = CapabilityStatus.NOT_LICENSED
        elif lacking:
            statuses[capability] = CapabilityStatus.FORBIDDEN
            missing += [name for name in lacking if name not in missing]
        else:
            statuses[capability] = CapabilityStatus.AVAILABLE
    statuses[Capability.NATIVE_METRICS] = await _native(client)
    return Examination(statuses, tuple(missing))


async def _native(client: JmapClient) -> CapabilityStatus:
    try:
        await client.fetch_native_totals()
    except TargetUnsupported as error:
        return CapabilityStatus(error.status)
    except (TargetRefused, TargetForbidden):
        return CapabilityStatus.FORBIDDEN
    return CapabilityStatus.AVAILABLE
