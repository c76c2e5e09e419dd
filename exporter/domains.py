"""
Domain names: one form to compare, count and store, another one to display.

The stored form is A-labels in lower case without a final dot (``xn--bcher-kva.example``), so that all spellings of a
name are equal. Anything else in its place (an address literal, an IP address, arbitrary text) is not a domain name, and
is exported as `UNKNOWN_DOMAIN`.

Contract: UTS #46 without transitional processing, then IDNA 2008 for each label that is not ASCII. Underscores are
accepted, as in ``_dmarc.example.org``, and A-labels are not decoded.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna

UNKNOWN_DOMAIN = "unknown"
"""The label for a missing or invalid domain name."""

MAX_LENGTH = 253
"""The most characters of a name in DNS."""

REMEMBERED = 8192
"""The number of cached spellings; a long queue has each of them thousands of times."""

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LEFT_TO_RIGHT = ("L", "EN", "ES", "NSM")


def domain_name(text: str) -> str | None:
    """
    Return the name in lower-case A-labels without a final dot; ``None`` if *text* is not a domain name.

    An IP address is not a domain name: its last label would be a number.
    """
    return _domain_name(text) if len(text) <= 4 * MAX_LENGTH else None


def domain_of(address: str) -> str:
    """Return the domain of a mail address, as from `domain_name`; empty if there is none."""
    _, sign, name = address.rpartition("@")
    return (_domain_name(name) or "") if sign and len(name) <= 4 * MAX_LENGTH else ""


@lru_cache(maxsize=REMEMBERED)
def _domain_name(text: str) -> str | None:
    name = text.lower() if text.isascii() else _in_ascii(text)
    name = name.removesuffix(".")
    if len(name) > MAX_LENGTH or _NAME.fullmatch(name) is None or _NUMBER.fullmatch(name.rpartition(".")[2]):
        return None
    return name


def _in_ascii(text: str) -> str:
    """Return a name in A-labels; empty, which is not a name, if it contains forbidden characters."""
    try:
        return ".".join(map(_a_label, idna.uts46_remap(text, std3_rules=False, transitional=False).split(".")))
    except UnicodeError:
        return ""


def _a_label(label: str) -> str:
    """Return one mapped label in ASCII. Raises `UnicodeError` if IDNA 2008 forbids it."""
    return label if label.isascii() else idna.alabel(label).decode("ascii")


def shown_domain(name: str) -> str:
    """
    Return a stored name for display: ``bücher.example (xn--bcher-kva.example)``.

    The readable form comes first if it is harmless: one script per label, written from left to right. The A-labels
    follow, since a look-alike in another script cannot be distinguished from the original by eye.
    """
    if "xn--" not in name:
        return name
    readable = ".".join(_u_label(label) for label in name.split("."))
    return name if readable == name else f"{readable} ({name})"


def _u_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        readable = label[4:].encode("ascii").decode("punycode")
    except (UnicodeError, OverflowError, ValueError):
        return label
    harmless = readable and _is_one_script(readable) and _in_ascii(readable) == label
    return readable if harmless and _runs_left_to_right(readable) else label


def _is_one_script(label: str) -> bool:
    scripts = {_script(c) for c in label if unicodedata.category(c).startswith("L")}
    return len(scripts) == 1 or scripts <= {"CJK", "HIRAGANA", "KATAKANA"}


def _script(letter: str) -> str:
    return unicodedata.name(letter, "unnamed").partition(" ")[0]


def _runs_left_to_right(label: str) -> bool:
    return all(unicodedata.bidirectional(c) in _LEFT_TO_RIGHT for c in label)
