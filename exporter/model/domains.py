"""
Domain names from strangers: one spelling to compare and store, another to show to people.

Stored is the A-label form in lower case (``xn--bcher-kva.example``), so that two spellings of a name are one name.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_LENGTH = 253
"""Characters of a whole name; DNS has no longer ones."""

_DOTS = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
_LEFT_TO_RIGHT = ("L", "EN", "ES", "NSM")


def domain_name(text: str) -> str | None:
    """
    The name in lower case and A-labels, without a final dot; ``None`` if it is no domain name.

    An address is none: its last label would be a number.
    """
    return _domain_name(text) if len(text) <= 4 * MAX_LENGTH else None


@lru_cache(maxsize=4096)
def _domain_name(text: str) -> str | None:
    name = text.strip().lower()
    if not name.isascii():
        labels = [_a_label(label) for label in name.translate(_DOTS).split(".")]
        name = ".".join(labels)
    name = name.removesuffix(".")
    if len(name) > MAX_LENGTH or _NAME.fullmatch(name) is None or name.rpartition(".")[2].isdigit():
        return None
    return name


def _a_label(label: str) -> str:
    """One label in ASCII; empty, hence invalid, where it holds what no name may hold."""
    label = unicodedata.normalize("NFKC", label).lower()
    label = unicodedata.normalize("NFC", label)
    if label.isascii():
        return label
    return "xn--" + label.encode("punycode").decode("ascii") if _is_word(label) else "."


def _is_word(label: str) -> bool:
    """Letters, their marks, digits and inner hyphens only: no controls, no direction marks, no symbols."""
    good = all(c == "-" or unicodedata.category(c)[0] in "LMN" for c in label)
    return good and label[0] != "-" and label[-1] != "-" and not unicodedata.category(label[0]).startswith("M")


def shown_domain(name: str) -> str:
    """
    A stored name for people: ``bücher.example (xn--bcher-kva.example)``.

    The readable form stands first where it is harmless: one script a label, written from left to right. The A-labels
    stay beside it, because a look-alike of another script cannot be told from the original by eye.
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
    harmless = readable and _is_word(readable) and _is_one_script(readable) and _a_label(readable) == label
    return readable if harmless and _runs_left_to_right(readable) else label


def _is_one_script(label: str) -> bool:
    scripts = {_script(c) for c in label if unicodedata.category(c).startswith("L")}
    return len(scripts) == 1 or scripts <= {"CJK", "HIRAGANA", "KATAKANA"}


def _script(letter: str) -> str:
    return unicodedata.name(letter, "unnamed").partition(" ")[0]


def _runs_left_to_right(label: str) -> bool:
    return all(unicodedata.bidirectional(c) in _LEFT_TO_RIGHT for c in label)
