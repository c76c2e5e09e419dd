"""Discovery by mail clients: the service records and the configuration hosts that the server wants."""

from __future__ import annotations

from exporter.checks.dns.answers import Answer, Srv
from exporter.checks.domains.context import DomainContext, Findings, as_name
from exporter.model.posture import Check, CheckOutcome, Record

MOST_SERVICES = 12
HOSTS = ("autoconfig.", "autodiscover.", "ua-auto-config.")


async def check_autoconfig(context: DomainContext) -> CheckOutcome | None:
    """
    Check what mail clients look for; nothing to check if the server wants none of it.

    Contract: RFC 6186 (SRV); a configuration host may be an alias of the server or resolve to its addresses.
    """
    findings = Findings()
    publish: list[Record] = []
    remove: list[Record] = []
    services = context.wanted("SRV")[:MOST_SERVICES]
    hosts = [r for r in context.wanted("CNAME") if r.name.startswith(HOSTS)]
    if not services and not hosts:
        return None
    for record in services:
        answer = await context.resolver.services(record.name)
        if not _check_service(record, answer, findings):
            publish.append(record)
            remove += [_srv_record(record.name, srv) for srv in answer.values]
    for record in hosts:
        if not await _check_host(context, record, findings):
            publish.append(record)
    if not findings.seen:
        findings.note(f"{len(services)} services and {len(hosts)} configuration hosts are published")
    return findings.outcome(context.domain, Check.AUTOCONFIG, publish=publish, remove=remove)


def _srv_record(name: str, srv: Srv) -> Record:
    content = f"{srv.priority} {srv.weight} {srv.port} {srv.target}."
    return Record(name=name, type="SRV", content=content)


def _check_service(record: Record, answer: Answer[Srv], findings: Findings) -> bool:
    """Return whether a service is published, at the wanted host and port."""
    port, target = record.content.split(" ")[-2:]
    wanted = target.lower().removesuffix(".")
    if answer.failed:
        findings.unknown(f"{record.name}: {answer.why}")
        return True
    if not answer.values:
        findings.bad(f"{record.name}: is not published")
        return False
    if not any(str(srv.port) == port and as_name(srv.target) == wanted for srv in answer.values):
        srv = answer.values[0]
        findings.bad(f"{record.name}: leads to {srv.target or 'nowhere'} port {srv.port}")
        return False
    return True


async def _check_host(context: DomainContext, record: Record, findings: Findings) -> bool:
    """Return whether a host name leads to the wanted host, as an alias or by its addresses."""
    target = record.content.lower().removesuffix(".")
    found = await context.resolver.any_addresses(record.name)
    if found.failed:
        findings.unknown(f"{record.name}: {found.why}")
        return True
    if not found.values:
        findings.bad(f"{record.name}: is not published")
        return False
    if found.name == target:
        return True
    wanted = await context.resolver.any_addresses(target)
    if wanted.failed:
        findings.unknown(f"{target}: {wanted.why}")
    elif not set(found.values) & set(wanted.values):
        findings.bad(f"{record.name}: leads to {found.values[0]}")
        return False
    return True
