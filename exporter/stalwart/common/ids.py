"""
Ids of JMAP objects: 64-bit numbers in base 32.

Contract: Stalwart v0.16; tests/recordings/jmap-0.16.18. Most of the numbers are snowflakes.
"""

from __future__ import annotations

ALPHABET = "abcdefghijklmnopqrstuvwxyz792013"
MOST = 2**64

_DIGITS = {sign: value for value, sign in enumerate(ALPHABET)}


def encode_id(number: int) -> str:
    """Encode a number as a JMAP id. Raises ``ValueError`` if it is out of range."""
    if not 0 <= number < MOST:
        raise ValueError("an id has 64 bits")
    signs = []
    while True:
        number, digit = divmod(number, 32)
        signs.append(ALPHABET[digit])
        if not number:
            return "".join(reversed(signs))


def decode_id(text: str) -> int:
    """Decode a JMAP id to its number. Raises ``ValueError`` if it is invalid."""
    number = 0
    for sign in text.lower():
        digit = _DIGITS.get(sign)
        if digit is None:
            raise ValueError("not a base-32 id")
        number = number * 32 + digit
    if not text or number >= MOST:
        raise ValueError("not a 64-bit id")
    return number
