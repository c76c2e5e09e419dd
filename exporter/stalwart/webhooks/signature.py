"""
The signature of a webhook post.

Contract: Stalwart v0.10-v0.16, header ``X-Signature``: HMAC-SHA256 over the body's bytes with the configured key's
bytes, in standard base64 with padding. It covers no time, so a recorded post can be sent again by anyone who has it.
"""

from __future__ import annotations

import binascii
import hmac
from hashlib import sha256

HEADER = "x-signature"
SIGNATURE_BYTES = sha256().digest_size
_TEXT_LENGTH = 44


def parse_signature(header: bytes) -> bytes | None:
    """Return the signature in a header's value; ``None`` unless it has the form of one."""
    if len(header) != _TEXT_LENGTH:
        return None
    try:
        signature = binascii.a2b_base64(header, strict_mode=True)
    except binascii.Error:
        return None
    return signature if len(signature) == SIGNATURE_BYTES else None


class BodySignature:
    """The signature of a body that arrives piece by piece."""

    def __init__(self, key: str) -> None:
        self._hmac = hmac.new(key.encode("utf-8"), digestmod=sha256)

    def update(self, piece: bytes) -> None:
        """Add the body's next piece."""
        self._hmac.update(piece)

    def digest(self) -> bytes:
        """Return the signature of the body so far; equal only for equal bodies."""
        return self._hmac.digest()

    def matches(self, signature: bytes) -> bool:
        """Return whether the whole body has *signature*, in a time that does not depend on where they differ."""
        return hmac.compare_digest(self._hmac.digest(), signature)
