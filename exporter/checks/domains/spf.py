"""SPF: one valid record, within the limits, that lets our addresses send."""

from __future__ import annotations

from exporter.checks.domains.context import DomainContext, Findings, texts_of
from exporter.checks.spf.lookup import MOST_LOOKUPS, MOST_VOID, Loaded, Missing, SpfEvaluation, load
from exporter.checks.spf.macros import Sender
from exporter.checks.spf.syntax import SpfRecord, SpfSyntaxError, is_spf, parse_spf
from exporter.model.posture import Check, CheckOutcome, Record

DEFAULT = "v=spf1 mx -all"
MOST_ADDRESSES = 16
NOBODY = "192.0.2.1"
"""An address for documentation, where macros need any."""


async def check_spf(context: DomainContext) -> CheckOutcome:
    """Check the SPF record. Contract: RFC 7208."""
    findings = Findings()
    loaded = await load(context.resolver, context.domain)
    uncovered: list[str] = []
    if loaded.missing is Missing.UNKNOWN:
        findings.unknown(f"TXT: {loaded.why}")
    elif loaded.record is None:
        why = f": {loaded.why}" if loaded.why else ""
        findings.bad(f"{loaded.missing.value if loaded.missing else ''}{why}")
    else:
        findings.note(loaded.texts[0])
        uncovered = await _check_record(context, loaded.record, findings)
    publish = [await _repaired(context, loaded, uncovered)] if findings.is_bad else []
    return findings.outcome(context.domain, Check.SPF, publish=publish, remove=texts_of(context.domain, loaded.texts))


def _evaluation(context: DomainContext) -> SpfEvaluation:
    return SpfEvaluation(
        context.resolver, Sender(address=NOBODY, domain=context.domain, helo=context.ours.host or context.domain)
    )


async def _check_record(context: DomainContext, record: SpfRecord, findings: Findings) -> list[str]:
    """Check a valid record; return our addresses that it does not cover."""
    limits = await _evaluation(context).limits(record, context.domain)
    for term in limits.broken:
        findings.bad(term)
    if limits.lookups > MOST_LOOKUPS:
        findings.bad(f"more than {MOST_LOOKUPS} terms need DNS queries, so receivers ignore the record")
    if limits.void > MOST_VOID:
        findings.bad(f"{limits.void} queries find nothing, of which receivers tolerate {MOST_VOID}")
    for term in limits.unknown:
        findings.unknown(term)
    if any(m.name == "all" and m.qualifier == "+" for m in record.mechanisms):
        findings.bad("+all lets every address send")
    return await _uncovered(context, record, findings)


async def _uncovered(context: DomainContext, record: SpfRecord, findings: Findings) -> list[str]:
    addresses = context.ours.addresses
    if not addresses.values:
        findings.unknown("the addresses that the server sends from are not known")
        return []
    uncovered = []
    for address in addresses.values[:MOST_ADDRESSES]:
        result = await _evaluation(context).result(record, context.domain, address)
        if result == "temperror":
            findings.unknown(f"{address}: a query failed")
        elif result != "pass":
            findings.bad(f"{address}: mail from this server gets the result {result}")
            uncovered.append(address)
    return uncovered


async def _repaired(context: DomainContext, loaded: Loaded, uncovered: list[str]) -> Record:
    """Return the published record with our addresses added, or the wanted one if the published one is beyond that."""
    text = loaded.texts[0] if loaded.record is not None and len(loaded.texts) == 1 else ""
    if text and uncovered:
        candidate = with_addresses(text, uncovered)
        if await _is_clean(context, candidate):
            return Record(name=context.domain, type="TXT", content=candidate)
    wanted = next((r.content for r in context.wanted("TXT", context.domain) if is_spf(r.content)), DEFAULT)
    findings = Findings()
    still = await _uncovered(context, parse_spf(wanted), findings) if _is_valid(wanted) else []
    return Record(name=context.domain, type="TXT", content=with_addresses(wanted, still))


async def _is_clean(context: DomainContext, text: str) -> bool:
    findings = Findings()
    await _check_record(context, parse_spf(text), findings)
    return not findings.is_bad


def _is_valid(text: str) -> bool:
    try:
        parse_spf(text)
    except SpfSyntaxError:
        return False
    return True


def with_addresses(text: str, addresses: list[str]) -> str:
    """Return an SPF record with *addresses* permitted before everything else, so that no earlier term can match."""
    version, *terms = text.split(" ")
    added = [f"ip6:{address}" if ":" in address else f"ip4:{address}" for address in addresses]
    return " ".join((version, *added, *terms))
