"""
The public key in a certificate.

Contract: X.690 (DER) and RFC 5280, section 4.1.
"""

from __future__ import annotations

from typing import NamedTuple

_SEQUENCE, _VERSION = 0x30, 0xA0
_BEFORE_KEY = 5
"""Serial number, algorithm, issuer, validity and subject."""


class DerError(ValueError):
    """Not a certificate."""


class _Element(NamedTuple):
    """One element: where it begins, where its content begins, and where it ends."""

    tag: int
    start: int
    content: int
    end: int


def public_key_info(certificate: bytes) -> bytes:
    """Return the SubjectPublicKeyInfo of a certificate in DER. Raises `DerError`."""
    outer = _element(certificate, 0, _SEQUENCE)
    signed = _element(certificate, outer.content, _SEQUENCE)
    at = signed.content
    first = _element(certificate, at)
    if first.tag == _VERSION:
        at = first.end
    for _ in range(_BEFORE_KEY):
        at = _element(certificate, at).end
    key = _element(certificate, at, _SEQUENCE)
    return certificate[key.start : key.end]


def _element(data: bytes, start: int, tag: int | None = None) -> _Element:
    if start + 2 > len(data) or (tag is not None and data[start] != tag):
        raise DerError("not a certificate")
    length, content = data[start + 1], start + 2
    if length & 0x80:
        count = length & 0x7F
        length, content = int.from_bytes(data[content : content + count], "big"), content + count
    end = content + length
    if end > len(data):
        raise DerError("not a certificate")
    return _Element(data[start], start, content, end)
