"""MX records: they exist, their hosts resolve, and the preferred ones are ours."""

from __future__ import annotations

import ipaddress

from exporter.checks.dns.answers import Mx, Status
from exporter.checks.domains.context import DomainContext, Findings, as_name
from exporter.model.posture import Check, CheckOutcome, Record

MOST_HOSTS = 16


async def check_mx(context: DomainContext) -> CheckOutcome:
    """
    Check the MX records.

    Contract: RFC 5321, section 5.1; RFC 2181, section 10.3 (no alias); RFC 7505 (null MX).
    """
    findings = Findings()
    answer = await context.resolver.mail_hosts(context.domain)
    if answer.failed:
        findings.unknown(f"MX: {answer.why}")
    elif answer.status is Status.NO_NAME:
        findings.bad("the domain does not exist in DNS")
    elif not answer.values:
        findings.bad("there is no MX record")
    else:
        await _check_hosts(context, sorted(answer.values), findings)
    published = [mx_record(context.domain, mx) for mx in answer.values]
    return findings.outcome(context.domain, Check.MX, publish=wanted_mx(context), remove=published)


def mx_record(domain: str, mx: Mx) -> Record:
    """Return an MX record as in a zone file."""
    return Record(name=domain, type="MX", content=f"{mx.preference} {mx.host}.")


def wanted_mx(context: DomainContext) -> list[Record]:
    """Return the MX records that the server wants, otherwise one to the server's host."""
    wanted = context.wanted("MX", context.domain)
    if not wanted and context.ours.host:
        wanted = [Record(name=context.domain, type="MX", content=f"10 {context.ours.host}.")]
    return wanted


async def _check_hosts(context: DomainContext, found: list[Mx], findings: Findings) -> None:
    if any(not mx.host for mx in found):
        findings.bad("a null MX record says that the domain receives no mail")
        return
    ours: list[tuple[int, bool | None]] = []
    for mx in found[:MOST_HOSTS]:
        whose = await _check_host(context, mx, findings)
        ours.append((mx.preference, whose))
    best = [whose for preference, whose in ours if preference == ours[0][0]]
    if any(best):
        return
    if any(whose is None for whose in best):
        findings.unknown("whether the preferred mail hosts are ours is not known")
    else:
        findings.bad(f"the preferred mail host is not ours: {found[0].host}")


async def _check_host(context: DomainContext, mx: Mx, findings: Findings) -> bool | None:
    """Check one host; return whether it is ours, ``None`` if that is not known."""
    if _is_address(mx.host):
        findings.bad(f"{mx.host}: an MX record needs a host name, not an address")
        return False
    addresses = await context.resolver.addresses(mx.host)
    if addresses.failed:
        findings.unknown(f"{mx.host}: {addresses.why}")
        return None
    if addresses.absent:
        findings.bad(f"{mx.host}: the mail host has no address")
        return False
    if addresses.name != mx.host:
        findings.bad(f"{mx.host}: is an alias, which a mail host must not be")
    findings.note(f"{mx.preference} {mx.host} ({', '.join(addresses.values[:4])})")
    name = as_name(mx.host)
    if name == context.ours.host or name in context.ours.also:
        return True
    if context.ours.addresses.failed:
        return None
    return bool(set(addresses.values) & set(context.ours.addresses.values))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
