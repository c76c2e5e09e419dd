"""The object types that a monitor reads, with their objects and query rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from exporter.simulator.jmap.objects import queue as jmap_queue
from exporter.simulator.jmap.objects import reports as jmap_reports
from exporter.simulator.jmap.objects.accounts import accounts, mailing_lists
from exporter.simulator.jmap.objects.inventory import (
    blocks,
    certificates,
    domain_numbers,
    nodes,
    samples,
    signatures,
    tasks,
)
from exporter.simulator.jmap.query import Entry, Rules, fixed_entry
from exporter.simulator.jmap.wire import Json, as_set
from exporter.simulator.world.accounts.zone import zone_file
from exporter.simulator.world.ids import decode_id
from exporter.simulator.world.reports import Kind
from exporter.simulator.world.values import rfc3339
from exporter.simulator.world.world import World

_QUEUES = (
    ("local", "Local delivery queue", 25),
    ("remote", "Remote delivery queue", 50),
    ("dsn", "Delivery Status Notification delivery queue", 5),
    ("report", "DMARC and TLS report delivery queue", 5),
)


SINGLETON = decode_id("singleton") or 0
"""The number that stands for the id ``singleton``."""


@dataclass(frozen=True, slots=True)
class ObjectType:
    """One type: its objects in ascending order of their ids, and the rules of its queries."""

    entries: Callable[[World], list[Entry]]
    rules: Rules


def _incoming(kind: Kind) -> ObjectType:
    def entries(world: World) -> list[Entry]:
        stored = world.reports.newest_first(kind, world.now())
        release = world.profile.release
        return sorted((jmap_reports.incoming(kind, one, release) for one in stored), key=lambda e: e.number)

    return ObjectType(entries, jmap_reports.INCOMING_RULES)


def _outgoing(kind: str) -> ObjectType:
    def entries(world: World) -> list[Entry]:
        domain, release = world.profile.local_domain, world.profile.release
        reports = (report for report in world.outgoing.ascending() if report.kind == kind)
        return sorted((jmap_reports.outgoing(one, domain, release) for one in reports), key=lambda e: e.number)

    return ObjectType(entries, jmap_reports.OUTGOING_RULES)


def _virtual_queues(world: World) -> list[Entry]:
    shown = ({"name": name, "description": text, "threadsPerNode": threads} for name, text, threads in _QUEUES)
    return [fixed_entry(number, queue) for number, queue in enumerate(shown)]


def _domains(world: World) -> list[Entry]:
    return [_domain(world, number, name) for name, number in domain_numbers(world).items()]


def _domain(world: World, number: int, name: str) -> Entry:
    keys = world.inventory.public_keys(name, local=name == world.profile.local_domain)
    shown: Json = {
        "name": name,
        "aliases": {},
        "isEnabled": True,
        "createdAt": rfc3339(world.inventory.set_up),
        **dict.fromkeys(("description", "logo", "memberTenantId", "directoryId", "catchAllAddress")),
        "certificateManagement": {"@type": "Manual"},
        "dkimManagement": {"@type": "Manual"},
        "dnsManagement": {"@type": "Manual"},
        "subAddressing": {"@type": "Enabled"},
        "allowRelaying": False,
        "reportAddressUri": "mailto:postmaster",
        "dnsZoneFile": zone_file(name, world.profile.hostname, keys),
    }
    return fixed_entry(number, shown, name=name, text=name, aliases=(), memberTenantId=None)


def _report_settings(world: World) -> list[Entry]:
    """Return the singleton; its number stands for the id ``singleton``."""
    shown: Json = {
        "inboundReportAddresses": as_set(world.inventory.report_patterns),
        "inboundReportForwarding": False,
        "outboundReportDomain": None,
        "inboundReportMaxSize": 26_214_400,
    }
    return [fixed_entry(SINGLETON, shown)]


def _plain(entries: Callable[[World], list[Entry]], *sorts: str, **filters: Any) -> ObjectType:
    return ObjectType(entries, Rules(filters=filters, sorts=frozenset({"id", *sorts})))


def queued(world: World, *, loaded: bool) -> Iterable[Entry]:
    """Return the messages that are held as objects; `loaded` is the result of `jmap_queue.searches_text`."""
    now = world.now()
    rows = (jmap_queue.entry(message, now, loaded=loaded) for message in world.queue.ordered())
    return (row for row in rows if row is not None)


_ACCOUNT_FILTERS: Any = {
    "@type": "equal",
    "text": "words",
    "name": "equal",
    "domainId": "id",
    "memberGroupIds": "contains",
    "memberTenantId": "equal",
}
_TASK_RULES = Rules(
    filters={"@type": "equal", "due": "date", "status": "failed"},
    sorts=frozenset({"due"}),
    default_sort="due",
    fast=False,
    anchored_total=True,
)


def _singleton(name: str) -> ObjectType:
    def entries(world: World) -> list[Entry]:
        return [fixed_entry(SINGLETON, world.inventory.settings[name])]

    return _plain(entries)


def _hooks(world: World) -> list[Entry]:
    return [fixed_entry(number, hook) for number, hook in sorted(world.inventory.hooks.items())]


TYPES: dict[str, ObjectType] = {
    "DmarcExternalReport": _incoming("dmarc"),
    "TlsExternalReport": _incoming("tls"),
    "ArfExternalReport": _incoming("arf"),
    "DmarcInternalReport": _outgoing("dmarc"),
    "TlsInternalReport": _outgoing("tls"),
    "MtaVirtualQueue": _plain(_virtual_queues, "name"),
    "Domain": _plain(_domains, "name", text="words", name="equal", aliases="contains", memberTenantId="equal"),
    "Account": _plain(accounts, "name", **_ACCOUNT_FILTERS),
    "MailingList": _plain(mailing_lists, "name", text="words", name="equal", domainId="id", memberTenantId="equal"),
    "Task": ObjectType(tasks, _TASK_RULES),
    "Certificate": _plain(certificates, subjectAlternativeNames="contains"),
    "DkimSignature": _plain(signatures, domainId="id", memberTenantId="equal"),
    "BlockedIp": _plain(blocks, "address", address="equal"),
    "ClusterNode": ObjectType(nodes, Rules(sorts=frozenset({"id", "nodeId"}))),
    "ReportSettings": _plain(_report_settings),
    "MtaStageRcpt": _singleton("MtaStageRcpt"),
    "SystemSettings": _singleton("SystemSettings"),
    "WebHook": _plain(_hooks),
    "SpamTrainingSample": _plain(samples, accountId="id"),
}
