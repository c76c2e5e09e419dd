"""Ids of the JMAP generation: unsigned 64-bit numbers in base 32, without padding or leading zeros."""

from __future__ import annotations

ALPHABET = "abcdefghijklmnopqrstuvwxyz792013"
_DIGITS = {letter: value for value, letter in enumerate(ALPHABET)} | {
    letter.upper(): value for value, letter in enumerate(ALPHABET)
}
MOST = 2**64 - 1


def encode_id(number: int) -> str:
    """Return a number as an id; 0 is `a`."""
    digits = ALPHABET[number & 31]
    while number := number >> 5:
        digits = ALPHABET[number & 31] + digits
    return digits


def decode_id(text: str) -> int | None:
    """Return the number of an id; None if it is invalid. Upper case and leading zeros are accepted."""
    number = 0
    for letter in text:
        digit = _DIGITS.get(letter)
        if digit is None:
            return None
        number = number << 5 | digit
    return number if text and number <= MOST else None


def id_of(value: object) -> int | None:
    """Return the number of an id in a request; None for any other value."""
    return decode_id(value) if isinstance(value, str) else None
