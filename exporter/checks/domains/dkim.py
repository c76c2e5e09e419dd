"""DKIM: each key that the server signs with is published, unchanged and not revoked."""

from __future__ import annotations

import base64
import binascii
import re

from exporter.checks.dns.answers import Answer
from exporter.checks.domains.context import DomainContext, Findings, texts_of
from exporter.checks.domains.tags import TagError, parse_tags
from exporter.model.posture import Check, CheckOutcome, Record

MOST_SELECTORS = 16
MARK = "._domainkey."


def wanted_keys(context: DomainContext) -> list[Record]:
    """Return the records of the server's keys for this domain."""
    return [r for r in context.wanted("TXT") if r.name.endswith(f"{MARK}{context.domain}")][:MOST_SELECTORS]


async def check_dkim(context: DomainContext) -> CheckOutcome:
    """Check the key records. Contract: RFC 6376, section 3.6.1; RFC 8463 for Ed25519."""
    findings = Findings()
    publish, remove = [], []
    keys = wanted_keys(context)
    if context.wants.records is None:
        findings.unknown("the server's keys are not known")
    elif not keys:
        findings.unknown("the server has no key for this domain, so there is nothing to compare")
    for key in keys:
        inner = Findings()
        answer = await context.resolver.texts(key.name)
        _compare(key, answer, inner)
        selector = key.name.partition(MARK)[0]
        findings.take(inner, f"{selector}: ")
        if inner.is_bad:
            publish.append(key)
            remove += texts_of(key.name, answer.values)
    return findings.outcome(context.domain, Check.DKIM, publish=publish, remove=remove)


def _compare(key: Record, answer: Answer[str], findings: Findings) -> None:
    if answer.failed:
        findings.unknown(answer.why)
    elif not answer.values:
        findings.bad("the key is not published")
    elif len(answer.values) > 1:
        findings.bad("several records, of which receivers use any or none")
    else:
        _compare_tags(parse_tags(key.content), answer.values[0], findings)


def _compare_tags(wanted: dict[str, str], text: str, findings: Findings) -> None:
    try:
        tags = parse_tags(text)
    except TagError as error:
        findings.bad(f"the record is invalid: {error}")
        return
    if "v" in tags and (tags["v"] != "DKIM1" or next(iter(tags)) != "v"):
        findings.bad("the record is invalid: v=DKIM1 must come first")
    if "p" not in tags:
        findings.bad("the record has no key (p=)")
    elif not _folded(tags["p"]):
        findings.bad("the key is revoked (p= is empty)")
    elif _decoded(tags["p"]) is None:
        findings.bad("the key is damaged: not base64")
    elif _decoded(tags["p"]) != _decoded(wanted.get("p", "")):
        findings.bad("another key is published than the server signs with")
    if tags.get("k", "rsa").lower() != wanted.get("k", "rsa").lower():
        findings.bad(f"the key type is {tags.get('k', 'rsa')} instead of {wanted.get('k', 'rsa')}")
    if "h" in tags and "sha256" not in _list(tags["h"]):
        findings.bad(f"h={tags['h']} does not allow sha256")
    if "s" in tags and not {"*", "email"} & set(_list(tags["s"])):
        findings.bad(f"s={tags['s']} does not allow e-mail")
    if "y" in _list(tags.get("t", "")):
        findings.bad("t=y says that the key is being tested, so receivers treat the mail as unsigned")
    if not findings.is_bad:
        findings.note("the server's key is published")


def _folded(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(_folded(text), validate=True)
    except (binascii.Error, ValueError):
        return None


def _list(text: str) -> list[str]:
    return [part.strip().lower() for part in text.split(":")]
