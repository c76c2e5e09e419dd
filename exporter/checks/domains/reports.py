"""Whether reports reach the server: the published addresses are ones that it analyses, and may be published."""

from __future__ import annotations

from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.domains.context import DomainContext, Findings, OwnSide, tags_text, texts_of
from exporter.checks.domains.dmarc import find_dmarc, wanted_dmarc
from exporter.checks.domains.report_addresses import is_analysed, mail_addresses, own_address
from exporter.checks.domains.tags import TagError, claims, parse_tags
from exporter.checks.domains.tls_rpt import tls_rpt_texts, wanted_tls_rpt
from exporter.model.posture import Check, CheckOutcome, Record

MOST_ADDRESSES = 10


async def check_dmarc_reports(context: DomainContext) -> CheckOutcome | None:
    """
    Check the addresses for DMARC reports; nothing to check without a valid record.

    Contract: RFC 7489, section 7.1: another organization must agree to receive them, by a record of its own.
    """
    published = await find_dmarc(context.resolver, context.domain)
    tags = published.tags
    findings = Findings()
    if published.unknown:
        findings.unknown(f"_dmarc.{context.domain}: {published.unknown}")
    elif tags is None:
        return None
    addresses = list(mail_addresses(tags.get("rua", ""))) if tags else []
    publish: list[Record] = []
    remove: list[Record] = []
    if tags is not None and not _lead_to_us(context.ours, tags.get("rua", ""), addresses, findings):
        repaired = _repaired(tags, wanted_dmarc(context), context)
        publish.append(Record(name=f"_dmarc.{published.name}", type="TXT", content=repaired))
        remove += texts_of(f"_dmarc.{published.name}", published.texts)
    for address in addresses[:MOST_ADDRESSES]:
        publish += await _authorised(context.resolver, published.name, address, findings)
    return findings.outcome(context.domain, Check.DMARC_REPORTS, publish=publish, remove=remove)


async def check_tls_reports(context: DomainContext) -> CheckOutcome | None:
    """Check the addresses for TLS reports; nothing to check without a valid record. Contract: RFC 8460, section 3."""
    name = f"_smtp._tls.{context.domain}"
    answer = await context.resolver.texts(name)
    texts = tls_rpt_texts(answer)
    findings = Findings()
    if answer.failed:
        findings.unknown(f"{name}: {answer.why}")
        return findings.outcome(context.domain, Check.TLS_REPORTS)
    try:
        tags = parse_tags(texts[0]) if len(texts) == 1 else {}
    except TagError:
        tags = {}
    if not tags.get("rua"):
        return None
    publish = []
    if not _lead_to_us(context.ours, tags["rua"], list(mail_addresses(tags["rua"])), findings):
        content = _repaired(tags, wanted_tls_rpt(context), context)
        publish.append(Record(name=name, type="TXT", content=content))
    return findings.outcome(context.domain, Check.TLS_REPORTS, publish=publish, remove=texts_of(name, texts))


def _lead_to_us(ours: OwnSide, text: str, addresses: list[str], findings: Findings) -> bool:
    """Return whether one of *addresses* is ours, and note what was seen."""
    if not text:
        findings.bad("no address for reports (rua=) is published, so nobody sends any")
        return False
    own = [address for address in addresses if is_analysed(address, ours)]
    if own:
        findings.note(f"reports go to {own[0]}")
        return True
    where = ", ".join(addresses[:3]) or text
    findings.bad(f"reports go to {where}, which this server does not analyse")
    return False


def _repaired(tags: dict[str, str], wanted: Record, context: DomainContext) -> str:
    """Return the published record with an address that the server analyses."""
    address = own_address(context.domain, context.ours, parse_tags(wanted.content).get("rua", ""))
    return tags_text({**tags, "rua": f"mailto:{address}"})


async def _authorised(resolver: DnsResolver, domain: str, address: str, findings: Findings) -> list[Record]:
    """Check that the address's domain accepts reports about *domain*; return the record that it lacks."""
    receiver = address.rpartition("@")[2]
    if _is_within(receiver, domain) or _is_within(domain, receiver):
        return []
    name = f"{domain}._report._dmarc.{receiver}"
    answer = await resolver.texts(name)
    if answer.failed:
        findings.unknown(f"{name}: {answer.why}")
    elif not any(claims(text, "DMARC1") for text in answer.values) and not await _same_owner(
        resolver, domain, receiver
    ):
        findings.bad(f"{receiver} does not agree to receive reports about {domain}")
        return [Record(name=name, type="TXT", content="v=DMARC1")]
    return []


def _is_within(name: str, above: str) -> bool:
    return name == above or name.endswith(f".{above}")


async def _same_owner(resolver: DnsResolver, one: str, other: str) -> bool:
    """Whether both are below a domain that has a DMARC record of its own, so that it is not a public suffix."""
    left, right = one.split("."), other.split(".")
    shared = 0
    while shared < min(len(left), len(right)) and left[-1 - shared] == right[-1 - shared]:
        shared += 1
    if shared < 2:
        return False
    above = await resolver.texts(f"_dmarc.{'.'.join(left[-shared:])}")
    return any(claims(text, "DMARC1") for text in above.values)
