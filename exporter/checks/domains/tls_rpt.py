"""TLS-RPT: one valid record that says where reports about TLS go."""

from __future__ import annotations

import re

from exporter.checks.dns.answers import Answer
from exporter.checks.domains.context import DomainContext, Findings, texts_of
from exporter.checks.domains.report_addresses import with_own_address
from exporter.checks.domains.tags import TagError, claims, parse_tags
from exporter.model.posture import Check, CheckOutcome, Record

_URI = re.compile(r"(?:mailto:[^,\s!]+@[^,\s!]+|https://[^,\s!]+)", re.IGNORECASE)


async def check_tls_rpt(context: DomainContext) -> CheckOutcome | None:
    """Check the record; nothing to check if there is none and the server wants none. Contract: RFC 8460, section 3."""
    findings = Findings()
    name = f"_smtp._tls.{context.domain}"
    answer = await context.resolver.texts(name)
    texts = tls_rpt_texts(answer)
    wanted = wanted_tls_rpt(context)
    if answer.failed:
        findings.unknown(f"{name}: {answer.why}")
    elif not texts:
        if not context.wanted("TXT", name):
            return None
        findings.bad("there is no TLS-RPT record")
    elif len(texts) > 1:
        findings.bad("several TLS-RPT records, so senders use none")
    else:
        _check_record(texts[0], findings)
    return findings.outcome(context.domain, Check.TLS_RPT, publish=[wanted], remove=texts_of(name, texts))


def tls_rpt_texts(answer: Answer[str]) -> list[str]:
    """Return the TLS-RPT records among the texts of a name."""
    return [text for text in answer.values if claims(text, "TLSRPTv1")]


def wanted_tls_rpt(context: DomainContext) -> Record:
    """Return the record that the server wants, otherwise one to the postmaster."""
    name = f"_smtp._tls.{context.domain}"
    wanted = context.wanted("TXT", name)
    text = f"v=TLSRPTv1; rua=mailto:postmaster@{context.domain}"
    record = wanted[0] if wanted else Record(name=name, type="TXT", content=text)
    return with_own_address(record, context.domain, context.ours)


def _check_record(text: str, findings: Findings) -> None:
    findings.note(text)
    try:
        tags = parse_tags(text)
    except TagError as error:
        findings.bad(f"the record is invalid: {error}")
        return
    if not tags.get("rua"):
        findings.bad("the record has no address (rua=)")
        return
    for part in tags["rua"].split(","):
        if _URI.fullmatch(part.strip()) is None:
            findings.bad(f"rua: not a mailto or https URI: {part.strip()}")
