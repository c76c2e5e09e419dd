"""Which addresses for reports lead to the server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import unquote

from exporter.checks.domains.context import OwnSide, tags_text
from exporter.checks.domains.tags import parse_tags
from exporter.domains import domain_name
from exporter.model.posture import Record

REPORT_URI = re.compile(r"(?P<uri>[a-z][a-z0-9+.-]*:[^!,\s]+)(?:![0-9]+[kmgt]?)?", re.IGNORECASE)


def mail_addresses(text: str) -> Iterable[str]:
    """Yield the mail addresses in a list of URIs, their domains normalised; others are left out."""
    for part in text.split(","):
        match = REPORT_URI.fullmatch(part.strip())
        if match is None or not match["uri"].lower().startswith("mailto:"):
            continue
        local, at, domain = unquote(match["uri"][len("mailto:") :].partition("?")[0]).rpartition("@")
        name = domain_name(domain)
        if at and local and name is not None:
            yield f"{local}@{name}"


def is_analysed(address: str, ours: OwnSide) -> bool:
    """
    Whether the server analyses reports to *address*, or they may go there.

    A server that does not say which addresses it analyses is taken to analyse those of its own domains.
    """
    if address.lower() in ours.report_addresses:
        return True
    if address.rpartition("@")[2] not in ours.domains:
        return False
    return not ours.report_patterns or any(_matches(address, pattern) for pattern in ours.report_patterns)


def _matches(address: str, pattern: str) -> bool:
    """Whether *address* fits a pattern with asterisks; nothing else is special in it."""
    return fnmatchcase(address.lower(), re.sub(r"([\[?])", r"[\1]", pattern.lower()))


def own_address(domain: str, ours: OwnSide, wanted: str = "") -> str:
    """Return an address for reports that the server analyses: one of the *wanted* URIs if it does."""
    for address in mail_addresses(wanted):
        if is_analysed(address, ours):
            return address
    local = next((p.removesuffix("@*") for p in ours.report_patterns if p.endswith("@*") and "*" not in p[:-1]), "")
    return f"{local or 'postmaster'}@{domain}"


def with_own_address(record: Record, domain: str, ours: OwnSide) -> Record:
    """Return a wanted record whose reports lead to the server: it may want them where it does not analyse them."""
    tags = parse_tags(record.content)
    if any(is_analysed(address, ours) for address in mail_addresses(tags.get("rua", ""))):
        return record
    content = tags_text({**tags, "rua": f"mailto:{own_address(domain, ours)}"})
    return Record(name=record.name, type=record.type, content=content)
