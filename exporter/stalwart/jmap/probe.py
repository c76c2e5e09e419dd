"""
Checks of what a key can access on v0.16 or newer, by its list of permissions, without forbidden requests.

Each permitted capability gets one minimal request, since only that shows whether it is configured and works. The
server's own metrics page has a login of its own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import aclosing

from exporter.model.report_words import ReportKind
from exporter.model.server import Capability, CapabilityStatus, Edition, ServerIdentity
from exporter.stalwart.common.probe import LOG_IN, Examination, PartialProbe
from exporter.stalwart.jmap.client import JmapClient


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
    Capability.DOMAIN_RECORDS: _both("Domain"),
    Capability.ACCOUNTS: _both("Account"),
    Capability.LOGS: _both("Log"),
    Capability.STORED_METRICS: _both("Metric"),
    Capability.TRACES: _both("Trace"),
    Capability.LIVE_METRICS: ("liveMetrics",),
    Capability.LIVE_TRACES: ("liveTracing",),
}
"""The permissions that each capability needs, besides `authenticate`, which all need."""

LICENSED = frozenset({Capability.STORED_METRICS, Capability.TRACES, Capability.LIVE_METRICS, Capability.LIVE_TRACES})

_OWN = "|".join(
    (
        *("AccountPassword", "AccountSettings", "ApiKey", "AppPassword"),
        *("ArchivedItem", "MaskedEmail", "PublicKey", "SpamTrainingSample"),
    )
)
_CHANGES = re.compile(
    rf"sys(?!(?:{_OWN})(?:Create|Update|Destroy)$)\w+(?:Create|Update|Destroy)|(?:action|task)[A-Z]\w*|impersonate"
)
"""Permissions that change the server, except those by which every account manages itself."""

Question = Callable[[], Awaitable[object]]


async def examine(
    client: JmapClient, identity: ServerIdentity, *, leave_out: Collection[Capability] = ()
) -> Examination:
    """
    Check each capability but *leave_out*, and list the missing permissions for those that the server has.

    *identity* is the result of a recent `identify`.
    """
    permissions = identity.permissions or frozenset()
    can_log_in = LOG_IN in permissions
    parts = PartialProbe()
    if can_log_in:
        await _ask_all(parts, client, identity, permissions, leave_out)
    await parts.ask_native(client.fetch_native_totals)
    return Examination(
        statuses=parts.statuses,
        lacking=parts.lacking,
        failures=parts.failures,
        can_log_in=can_log_in,
        native_refused=parts.native_refused,
        edition=identity.edition,
        version=identity.version,
        changes=tuple(sorted(filter(changes_server, permissions))),
    )


async def _ask_all(
    parts: PartialProbe,
    client: JmapClient,
    identity: ServerIdentity,
    permissions: Iterable[str],
    leave_out: Collection[Capability],
) -> None:
    parts.statuses[Capability.QUEUE_STATUS] = CapabilityStatus.UNSUPPORTED
    asked = _questions(client)
    for capability, needed in PERMISSIONS.items():
        if capability in leave_out:
            continue
        lacking = [name for name in needed if name not in permissions]
        if capability in LICENSED and identity.edition is Edition.COMMUNITY:
            parts.statuses[capability] = CapabilityStatus.NOT_LICENSED
        elif lacking:
            parts.lacks(capability, lacking)
        else:
            await parts.ask(capability, asked.get(capability, _nothing), permissions=needed)
    # Optional: without the permissions, nothing is missing.
    await parts.ask(Capability.SETTINGS, lambda: client.fetch_settings_digests(secrets.token_bytes(32)))


async def _nothing() -> None:
    """Send nothing: live streams are checked separately."""


def _questions(client: JmapClient) -> Mapping[Capability, Question]:
    now = client.now()

    async def reports() -> None:
        for kind in ReportKind:
            await client.fetch_report_ids(kind, page=1, limit=1)

    async def accounts() -> None:
        async with aclosing(client.walk_quotas()) as pages:
            await anext(pages)

    return {
        Capability.QUEUE: lambda: client.fetch_queue(max_messages=1),
        Capability.OUTGOING_REPORTS: client.fetch_outgoing_reports,
        Capability.REPORTS: reports,
        Capability.INVENTORY: client.fetch_inventory,
        Capability.DOMAIN_RECORDS: client.fetch_domains,
        Capability.ACCOUNTS: accounts,
        Capability.LOGS: lambda: client.fetch_newest_log_lines(limit=1),
        Capability.STORED_METRICS: lambda: client.fetch_stored_metrics(after=now),
        Capability.TRACES: lambda: client.fetch_trace_ids(after=now),
    }


def changes_server(permission: str) -> bool:
    """Whether *permission* allows changing more than the account itself."""
    return _CHANGES.fullmatch(permission) is not None
