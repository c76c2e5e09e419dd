"""What a response says: records, or that there are none. A response that contradicts itself says nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from exporter.checks.dns.answers import Mx, Srv, Status, Tlsa

MOST_ALIASES = 8
MOST_RECORDS = 100
"""More records of one name than anybody needs; the rest are not looked at."""

MOST_TEXT = 8192
"""The most bytes of one text."""


class Read(NamedTuple):
    """
    The content of a response.

    Attributes:
        values: Plain values, see `exporter.checks.dns.answers`.
        name: The name after aliases.
        elsewhere: There are aliases only: *name* must be asked for.
    """

    status: Status
    values: tuple[Any, ...]
    name: dns.name.Name
    elsewhere: bool = False
    why: str = ""


def read_response(response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Read:
    """Return what *response* says about *name*."""
    at, seen = name, {name}
    while (alias := _alias(response, at)) is not None and kind != dns.rdatatype.CNAME:
        if alias in seen or len(seen) > MOST_ALIASES:
            return Read(Status.FAILED, (), at, why="the aliases form a loop or a long chain")
        seen.add(alias)
        at = alias
    rows = response.get_rrset(response.answer, at, dns.rdataclass.IN, kind)
    if rows is not None and response.rcode() == dns.rcode.NOERROR:
        return Read(Status.FOUND, _values(rows, kind), at)
    if response.rcode() == dns.rcode.NXDOMAIN:
        return Read(Status.NO_NAME, (), at)
    if at != name:
        return Read(Status.NO_DATA, (), at, elsewhere=True)
    if response.answer:
        return Read(Status.FAILED, (), at, why="the resolver answers another question")
    if _is_referral(response):
        return Read(Status.FAILED, (), at, why="the resolver does not resolve this name")
    return Read(Status.NO_DATA, (), at)


def _alias(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    row = response.get_rrset(response.answer, name, dns.rdataclass.IN, dns.rdatatype.CNAME)
    return None if row is None else row[0].target


def _is_referral(response: dns.message.Message) -> bool:
    kinds = {row.rdtype for row in response.authority}
    return not response.flags & dns.flags.RA and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds


def _values(rows: Iterable[Any], kind: dns.rdatatype.RdataType) -> tuple[Any, ...]:
    return tuple(_value(row, kind) for row, _ in zip(rows, range(MOST_RECORDS), strict=False))


def _value(row: Any, kind: dns.rdatatype.RdataType) -> object:
    match kind:
        case dns.rdatatype.TXT:
            return b"".join(row.strings)[:MOST_TEXT].decode("latin-1")
        case dns.rdatatype.MX:
            return Mx(row.preference, host_text(row.exchange))
        case dns.rdatatype.SRV:
            return Srv(row.priority, row.weight, row.port, host_text(row.target))
        case dns.rdatatype.TLSA:
            return Tlsa(row.usage, row.selector, row.mtype, row.cert)
        case dns.rdatatype.A | dns.rdatatype.AAAA:
            return str(row.address)
    return host_text(row.target)


def host_text(name: dns.name.Name) -> str:
    """Return a name in lower case without a final dot, escaped as in a zone file; empty for the root."""
    return name.to_text(omit_final_dot=True).lower().removesuffix(".")
