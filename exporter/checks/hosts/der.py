"""
The elements of a certificate, and the public key in it.

Contract: X.690 (DER) and RFC 5280, section 4.1.
"""

from __future__ import annotations

from typing import NamedTuple

SEQUENCE = 0x30
_VERSION = 0xA0
MOST_ELEMENTS = 1000
"""The most elements of one sequence that are looked at."""
_BEFORE_KEY = 5
"""Serial number, algorithm, issuer, validity and subject."""


class DerError(ValueError):
    """Not a certificate."""


class Element(NamedTuple):
    """One element: where it begins, where its content begins, and where it ends."""

    tag: int
    start: int
    content: int
    end: int


def public_key_info(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate in DER. Raises `DerError`."""
    key = signed_elements(certificate)[_BEFORE_KEY]
    if key.tag != SEQUENCE:
        raise DerError("not a certificate")
    return certificate[key.start : key.end]


def signed_elements(certificate: bytes) -> list[Element]:
    """
    Return the elements of the signed part, without the version.

    These are serial number, algorithm, issuer, validity, subject, key, and what follows. Raises `DerError`.
    """
    outer = element(certificate, 0, SEQUENCE)
    signed = children(certificate, element(certificate, outer.content, SEQUENCE))
    if signed and signed[0].tag == _VERSION:
        signed = signed[1:]
    if len(signed) <= _BEFORE_KEY:
        raise DerError("not a certificate")
    return signed


def children(data: bytes, parent: Element) -> list[Element]:
    """Return the elements inside *parent*. Raises `DerError`."""
    found: list[Element] = []
    at = parent.content
    while at < parent.end:
        inner = element(data, at)
        if inner.end > parent.end or len(found) >= MOST_ELEMENTS:
            raise DerError("not a certificate")
        found.append(inner)
        at = inner.end
    return found


def element(data: bytes, start: int, tag: int | None = None) -> Element:
    """Return the element that begins at *start*. Raises `DerError` if there is none, or it has another *tag*."""
    if start + 2 > len(data) or (tag is not None and data[start] != tag):
        raise DerError("not a certificate")
    length, content = data[start + 1], start + 2
    if length & 0x80:
        count = length & 0x7F
        length, content = int.from_bytes(data[content : content + count], "big"), content + count
    end = content + length
    if end > len(data):
        raise DerError("not a certificate")
    return Element(data[start], start, content, end)
