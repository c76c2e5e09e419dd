"""The addresses that mail is sent from: forward-confirmed reverse DNS, and the host name of the greeting."""

from __future__ import annotations

import dns.reversename

from exporter.checks.dns.answers import Answer
from exporter.checks.dns.reading import host_text
from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.domains.context import Findings, OwnSide, texts_of
from exporter.checks.spf.lookup import Missing, SpfEvaluation, load
from exporter.checks.spf.macros import Sender
from exporter.model.posture import Check, CheckOutcome, Record

MOST_ADDRESSES = 16
MOST_NAMES = 8
UNNAMED = "unknown"
"""The label of a server whose host name is not known."""


async def check_server(resolver: DnsResolver, ours: OwnSide) -> list[CheckOutcome]:
    """Check the addresses of *ours*; the outcomes bear the server's host name."""
    if not ours.host and not ours.addresses.values:
        return []
    return [await _check_reverse(resolver, ours), await _check_greeting(resolver, ours)]


async def _check_reverse(resolver: DnsResolver, ours: OwnSide) -> CheckOutcome:
    """Check that each address has a name that leads back to it. Contract: RFC 8601, section 2.7.3 (iprev)."""
    findings = Findings()
    publish, remove = [], []
    _require_addresses(ours, findings)
    for address in ours.addresses.values[:MOST_ADDRESSES]:
        inner = Findings()
        names = await resolver.pointers(address)
        await _check_names(resolver, address, names, inner)
        findings.take(inner)
        if inner.is_bad and ours.host:
            name = host_text(dns.reversename.from_address(address))
            publish.append(Record(name=name, type="PTR", content=f"{ours.host}."))
            remove += [Record(name=name, type="PTR", content=f"{other}.") for other in names.values]
    return findings.outcome(ours.host or UNNAMED, Check.FCRDNS, publish=publish, remove=remove)


async def _check_names(resolver: DnsResolver, address: str, names: Answer[str], findings: Findings) -> None:
    if names.failed:
        findings.unknown(f"{address}: {names.why}")
        return
    if not names.values:
        findings.bad(f"{address}: has no name (PTR)")
        return
    unsure = ""
    for name in names.values[:MOST_NAMES]:
        forward = await resolver.addresses_of_family(name, 6 if ":" in address else 4)
        if address in forward.values:
            findings.note(f"{address}: {name}")
            return
        unsure = unsure or forward.why
    if unsure:
        findings.unknown(f"{address}: {unsure}")
    else:
        findings.bad(f"{address}: its name {names.values[0]} does not lead back to it")


async def _check_greeting(resolver: DnsResolver, ours: OwnSide) -> CheckOutcome:
    """Check the name that the server greets others with. Contract: RFC 5321, section 4.1.4; RFC 7208, section 2.3."""
    findings = Findings()
    publish: list[Record] = []
    remove: list[Record] = []
    if "." in ours.host and ours.addresses.absent:
        findings.bad(f"{ours.host}: does not resolve")
        return findings.outcome(ours.host, Check.HELO)
    _require_addresses(ours, findings)
    if "." not in ours.host:
        findings.unknown("the server's host name is not known")
        return findings.outcome(ours.host or UNNAMED, Check.HELO)
    for version, kind in ((4, "A"), (6, "AAAA")):
        wanted = [a for a in ours.addresses.values[:MOST_ADDRESSES] if (":" in a) == (version == 6)]
        found = await resolver.addresses_of_family(ours.host, version)
        if wanted and found.failed:
            findings.unknown(f"{ours.host}: {found.why}")
            continue
        for address in wanted:
            if address not in found.values:
                findings.bad(f"{ours.host}: does not resolve to {address}")
                publish.append(Record(name=ours.host, type=kind, content=address))
    if not findings.seen:
        findings.note(f"{ours.host}: resolves to each address that mail is sent from")
    loaded = await load(resolver, ours.host)
    if loaded.record is not None:
        for address in ours.addresses.values[:MOST_ADDRESSES]:
            sender = Sender(address=address, domain=ours.host, helo=ours.host)
            result = await SpfEvaluation(resolver, sender).result(loaded.record, ours.host, address)
            if result in ("fail", "softfail", "permerror"):
                findings.bad(f"SPF of {ours.host}: {address} gets the result {result}")
                publish.append(Record(name=ours.host, type="TXT", content="v=spf1 a -all"))
                remove += texts_of(ours.host, loaded.texts)
                break
    elif loaded.missing in (Missing.SEVERAL, Missing.INVALID):
        findings.bad(f"SPF of {ours.host}: {loaded.missing.value}")
        publish.append(Record(name=ours.host, type="TXT", content="v=spf1 a -all"))
        remove += texts_of(ours.host, loaded.texts)
    return findings.outcome(ours.host, Check.HELO, publish=publish, remove=remove)


def _require_addresses(ours: OwnSide, findings: Findings) -> None:
    if not ours.addresses.values:
        why = ours.addresses.why or "the host name has no address"
        findings.unknown(f"the addresses that mail is sent from are not known: {why}")
