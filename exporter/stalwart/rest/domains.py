"""
The server's domains and the DNS records that it wants for them.

Contract: Stalwart v0.10-v0.15, ``GET /api/principal?types=domain&fields=name`` and ``GET /api/dns/records/{domain}``;
tests/recordings/ops-0.15.5/domains.json. Texts are unquoted and not split, and names end in a dot. The server computes
the records, and does so for any name.
"""

from __future__ import annotations

import msgspec

from exporter.domains import domain_name
from exporter.model.posture import DomainWants, Record, ServerDomain
from exporter.stalwart.common.wanted_records import MOST_DOMAINS, wanted_record
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.http.transport import Transport

DOMAINS_A_PAGE = 500


class _Domain(msgspec.Struct):
    name: str


class _Items(msgspec.Struct):
    items: list[_Domain]


class _DomainPage(msgspec.Struct):
    data: _Items


class _Row(msgspec.Struct):
    type: str
    name: str
    content: str


class _Rows(msgspec.Struct):
    data: list[_Row]


_page = msgspec.json.Decoder(_DomainPage)
_rows = msgspec.json.Decoder(_Rows)


async def fetch_domains(transport: Transport) -> list[ServerDomain]:
    """Fetch the server's domains, at most `MOST_DOMAINS`."""
    found: dict[str, ServerDomain] = {}
    for page in range(1, MOST_DOMAINS // DOMAINS_A_PAGE + 1):
        params: dict[str, str | int] = {"limit": DOMAINS_A_PAGE, "page": page}
        items = decode_response(_page, await transport.request(Endpoint.DOMAINS, params=params)).data.items
        known = len(found)
        for item in items:
            name = domain_name(item.name)
            if name is not None:
                found[name] = ServerDomain(id=name, name=name)
        if len(items) < DOMAINS_A_PAGE or len(found) == known:
            break
    return list(found.values())


async def fetch_wanted_records(transport: Transport, domain: ServerDomain) -> DomainWants:
    """Fetch the records that the server wants for *domain*."""
    body = await transport.request(Endpoint.DNS_RECORDS, path_args=(domain.id,))
    rows = decode_response(_rows, body).data
    records = [wanted_record(row.name, row.type, row.content) for row in rows]
    return DomainWants(name=domain.name, records=_present(records))


def _present(records: list[Record | None]) -> tuple[Record, ...]:
    return tuple(record for record in records if record is not None)
