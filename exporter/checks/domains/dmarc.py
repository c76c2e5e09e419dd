"""DMARC: one valid record, of the domain or of one above it."""

from __future__ import annotations

import re
from typing import NamedTuple

from exporter.checks.dns.answers import Answer
from exporter.checks.dns.resolver import DnsResolver
from exporter.checks.domains.context import DomainContext, Findings, texts_of
from exporter.checks.domains.report_addresses import REPORT_URI, with_own_address
from exporter.checks.domains.tags import TagError, claims, parse_tags
from exporter.model.posture import Check, CheckOutcome, Record

POLICIES = frozenset({"none", "quarantine", "reject"})
MOST_LEVELS = 8


class Published(NamedTuple):
    """
    The DMARC record that applies to a domain.

    Attributes:
        name: The domain whose record it is; empty if there is none.
        texts: The records at the domain itself, or at *name*.
        unknown: Why it is not known.
    """

    name: str
    texts: tuple[str, ...] = ()
    unknown: str = ""

    @property
    def tags(self) -> dict[str, str] | None:
        """The tags of the record; ``None`` if there is not exactly one, or it is not a list of tags."""
        try:
            return parse_tags(self.texts[0]) if len(self.texts) == 1 else None
        except TagError:
            return None


async def find_dmarc(resolver: DnsResolver, domain: str) -> Published:
    """
    Return the record of *domain*, or of the nearest domain above it that has one.

    Contract: RFC 7489, section 6.6.3. The organizational domain is found by walking up, without a list of public
    suffixes.
    """
    labels = domain.split(".")
    for start in range(max(1, min(len(labels) - 1, MOST_LEVELS))):
        name = ".".join(labels[start:])
        answer: Answer[str] = await resolver.texts(f"_dmarc.{name}")
        if answer.failed:
            return Published(name="", unknown=answer.why)
        texts = tuple(text for text in answer.values if claims(text, "DMARC1"))
        if texts:
            return Published(name=name, texts=texts)
    return Published(name="")


async def check_dmarc(context: DomainContext) -> CheckOutcome:
    """Check the DMARC record. Contract: RFC 7489, sections 6.3 and 6.6.3."""
    findings = Findings()
    published = await find_dmarc(context.resolver, context.domain)
    if published.unknown:
        findings.unknown(f"_dmarc.{context.domain}: {published.unknown}")
    elif not published.texts:
        findings.bad("there is no DMARC record")
    elif len(published.texts) > 1:
        findings.bad("several DMARC records, so receivers use none")
    else:
        _check_record(context, published, findings)
    own = published.texts if published.name == context.domain else ()
    name = f"_dmarc.{context.domain}"
    return findings.outcome(context.domain, Check.DMARC, publish=[wanted_dmarc(context)], remove=texts_of(name, own))


def wanted_dmarc(context: DomainContext) -> Record:
    """Return the record that the server wants, otherwise one that asks for reports only."""
    name = f"_dmarc.{context.domain}"
    wanted = context.wanted("TXT", name)
    text = f"v=DMARC1; p=none; rua=mailto:postmaster@{context.domain}"
    record = wanted[0] if wanted else Record(name=name, type="TXT", content=text)
    return with_own_address(record, context.domain, context.ours)


def _check_record(context: DomainContext, published: Published, findings: Findings) -> None:
    text = published.texts[0]
    findings.note(text if published.name == context.domain else f"{published.name}: {text}")
    try:
        tags = parse_tags(text)
    except TagError as error:
        findings.bad(f"the record is invalid: {error}")
        return
    if "p" not in tags:
        findings.bad("the record has no policy (p=)")
    for name in ("p", "sp"):
        if name in tags and tags[name].lower() not in POLICIES:
            findings.bad(f"{name}={tags[name]} is not a policy")
    for name in ("adkim", "aspf"):
        if name in tags and tags[name].lower() not in ("r", "s"):
            findings.bad(f"{name}={tags[name]} is neither r nor s")
    _check_numbers(tags, findings)
    for name in ("rua", "ruf"):
        if name in tags:
            _check_uris(name, tags[name], findings)
    if not findings.is_bad:
        _note_policy(context, published, tags, findings)


def _check_numbers(tags: dict[str, str], findings: Findings) -> None:
    if "pct" in tags and not re.fullmatch(r"[0-9]{1,2}|100", tags["pct"]):
        findings.bad(f"pct={tags['pct']} is not a percentage")
    if "ri" in tags and not re.fullmatch(r"[0-9]{1,10}", tags["ri"]):
        findings.bad(f"ri={tags['ri']} is not a number of seconds")
    if "fo" in tags and not set(part.strip().lower() for part in tags["fo"].split(":")) <= {"0", "1", "d", "s"}:
        findings.bad(f"fo={tags['fo']} is not a list of 0, 1, d and s")


def _check_uris(name: str, text: str, findings: Findings) -> None:
    for part in text.split(","):
        if REPORT_URI.fullmatch(part.strip()) is None:
            findings.bad(f"{name}: not a URI: {part.strip()}")


def _note_policy(context: DomainContext, published: Published, tags: dict[str, str], findings: Findings) -> None:
    inherited = published.name != context.domain
    policy = tags.get("sp", tags["p"]) if inherited else tags["p"]
    if policy.lower() == "none":
        findings.note("the policy none asks receivers to deliver what fails")
    elif tags.get("pct", "100") != "100":
        findings.note(f"the policy holds for {tags['pct']} % of the messages")
