"""
What a certificate says about names and dates.

Contract: RFC 5280, sections 4.1.2.5 (validity) and 4.2.1.6 (alternative names); RFC 9525 (the common name of the
subject does not count).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.checks.hosts.der import SEQUENCE, DerError, Element, children, element, signed_elements

ISSUER, VALIDITY, SUBJECT, AFTER_KEY = 2, 3, 4, 6
EXTENSIONS, OBJECT_ID, OCTETS, UTC_TIME, GENERALIZED_TIME, DNS_NAME = 0xA3, 0x06, 0x04, 0x17, 0x18, 0x82
ALTERNATIVE_NAMES = bytes((0x55, 0x1D, 0x11))
COMMON_NAME, ORGANISATION = bytes((0x55, 0x04, 0x03)), bytes((0x55, 0x04, 0x0A))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """
    One certificate.

    Attributes:
        names: Its host names and wildcards in lower case, as they stand there: any text.
        not_before, not_after: Aware and in UTC.
        issuer: The common name or the organisation of who issued it; empty if it has neither. Any text.
        self_issued: Issuer and subject are the same.
    """

    names: Sequence[str]
    not_before: datetime
    not_after: datetime
    issuer: str
    self_issued: bool


def parse_certificate(der: bytes) -> Certificate:
    """Parse a certificate in DER. Raises `DerError`."""
    parts = signed_elements(der)
    issuer, subject = parts[ISSUER], parts[SUBJECT]
    dates = children(der, parts[VALIDITY])
    if len(dates) != 2:
        raise DerError("not a certificate")
    return Certificate(
        names=tuple(_names(der, parts[AFTER_KEY:])),
        not_before=_time(der, dates[0]),
        not_after=_time(der, dates[1]),
        issuer=_common_name(der, issuer),
        self_issued=der[issuer.start : issuer.end] == der[subject.start : subject.end],
    )


def covers(names: Sequence[str], host: str) -> bool:
    """Whether one of *names* is valid for *host*: equal, or a wildcard in place of its first label."""
    _, _, parent = host.partition(".")
    return host in names or ("." in parent and f"*.{parent}" in names)


def _time(der: bytes, date: Element) -> datetime:
    text = der[date.content : date.end].decode("ascii", "replace")
    pattern = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(date.tag, "")
    try:
        read = datetime.strptime(text, pattern).replace(tzinfo=UTC)
    except ValueError as error:
        raise DerError("a date of the certificate cannot be read") from error
    # Two digits are of 1950 to 2049.
    return read.replace(year=read.year - 100) if date.tag == UTC_TIME and read.year >= 2050 else read


def _names(der: bytes, rest: Sequence[Element]) -> Iterator[str]:
    for part in rest:
        if part.tag != EXTENSIONS:
            continue
        for extension in children(der, element(der, part.content, SEQUENCE)):
            inner = children(der, extension)
            if inner and _is(der, inner[0], ALTERNATIVE_NAMES) and inner[-1].tag == OCTETS:
                for name in children(der, element(der, inner[-1].content, SEQUENCE)):
                    if name.tag == DNS_NAME:
                        yield _text(der, name).lower().removesuffix(".")


def _common_name(der: bytes, name: Element) -> str:
    found: dict[bytes, str] = {}
    for part in children(der, name):
        for pair in children(der, part):
            inner = children(der, pair)
            if len(inner) == 2 and inner[0].tag == OBJECT_ID:
                found.setdefault(der[inner[0].content : inner[0].end], _text(der, inner[1]))
    return found.get(COMMON_NAME) or found.get(ORGANISATION) or ""


def _is(der: bytes, part: Element, wanted: bytes) -> bool:
    return part.tag == OBJECT_ID and der[part.content : part.end] == wanted


def _text(der: bytes, part: Element) -> str:
    return der[part.content : part.end].decode("utf-8", "replace")
