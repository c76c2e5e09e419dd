"""
The server's domains, the DNS records that it wants for them, and the report addresses that it analyses.

Contract: Stalwart v0.16, ``x:Domain`` with ``dnsZoneFile``, and ``x:ReportSettings``;
tests/recordings/ops-0.16.18/domains.json. The server computes a zone file when it is requested.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from exporter.domains import domain_name
from exporter.errors import PayloadError, TargetForbidden, TargetServerError, TargetUnsupported
from exporter.model.posture import DomainWants, ServerDomain
from exporter.stalwart.common.wanted_records import MOST_DOMAINS
from exporter.stalwart.jmap.directory.zone import parse_zone
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.paging import Cursor
from exporter.stalwart.jmap.protocol.wire import Call

PAGE_ROWS = 500
DOMAINS_AT_ONCE = 100
"""Each zone file takes the server some work, and the response some kilobytes."""

MOST_PATTERNS = 100


class _Named(msgspec.Struct, rename="camel"):
    id: str
    name: str
    is_enabled: bool = True


class _NamedRows(msgspec.Struct):
    items: list[_Named] = msgspec.field(name="list")


class _Zone(msgspec.Struct, rename="camel"):
    name: str
    dns_zone_file: str = ""


class _ZoneRows(msgspec.Struct):
    items: list[_Zone] = msgspec.field(name="list")


class _ReportSettings(msgspec.Struct, rename="camel"):
    inbound_report_addresses: dict[str, bool] = {}


class _ReportRows(msgspec.Struct):
    items: list[_ReportSettings] = msgspec.field(name="list")


_named = msgspec.json.Decoder(_NamedRows)
_zones = msgspec.json.Decoder(_ZoneRows)
_settings = msgspec.json.Decoder(_ReportRows)


async def fetch_domains(api: JmapApi, *, by_position: bool) -> list[ServerDomain]:
    """Fetch the enabled domains, at most `MOST_DOMAINS`."""
    cursor = Cursor(api, "Domain", {}, rows=PAGE_ROWS, by_position=by_position, properties=("id", "name", "isEnabled"))
    found: list[ServerDomain] = []
    while not cursor.ended and len(found) < MOST_DOMAINS:
        page = await cursor.next_page()
        for row in page.answers.result(page.get, _named).items:
            name = domain_name(row.name)
            if row.is_enabled and name is not None:
                found.append(ServerDomain(id=row.id, name=name))
    return found


async def fetch_wanted_records(api: JmapApi, domains: Sequence[ServerDomain]) -> list[DomainWants]:
    """Fetch the records that the server wants for *domains*, with one request."""
    get = Call("g", "x:Domain/get", {"ids": [domain.id for domain in domains], "properties": ["name", "dnsZoneFile"]})
    answers = await api.ask([get])
    names = {domain.name for domain in domains}
    wants = []
    for row in answers.result(get, _zones).items:
        name = domain_name(row.name)
        if name in names:
            wants.append(DomainWants(name=name, records=parse_zone(row.dns_zone_file)))
    return wants


async def fetch_report_patterns(api: JmapApi) -> list[str]:
    """Fetch the addresses whose reports are analysed; empty if the key may not read the settings."""
    if not await api.allows("ReportSettings", "get"):
        return []
    get = Call("g", "x:ReportSettings/get", {"ids": ["singleton"], "properties": ["inboundReportAddresses"]})
    try:
        rows = (await api.ask([get])).result(get, _settings).items
    except (TargetForbidden, TargetUnsupported, TargetServerError, PayloadError):
        return []
    return sorted(address for row in rows for address, on in row.inbound_report_addresses.items() if on)[:MOST_PATTERNS]
