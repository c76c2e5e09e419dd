"""Untrusted text made safe for a log line, a label, a page or a terminal. Markup is not escaped."""

from __future__ import annotations

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

SHOWN_LENGTH = 200
"""Maximum length of a text in a table; JSON output has the rest."""

_COMBINING = ("Mn", "Me")
"""Categories of marks that take no place of their own, those that enclose a letter included."""

MARKS_IN_A_ROW = 4
"""More combining marks on one letter would cover neighbouring lines."""


def printable(text: str, replacement: str = REPLACEMENT) -> str:
    """
    Return *text* with *replacement* for each character that is not printable.

    These are control characters, line ends, marks that change the text direction, and all whitespace but the space.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else replacement for c in text)


def shortened(text: str, length: int) -> str:
    """Return *text* in at most *length* characters; an ellipsis replaces what was cut off."""
    return text if len(text) <= length else text[: length - 1] + "…"


def harmless(text: str, length: int = SHOWN_LENGTH) -> str:
    """Return *text* safe for a terminal or a page, with few combining marks, and at most *length* characters."""
    if text.isascii():
        return shortened(printable(text[: 4 * length]), length)
    kept = []
    marks = 0
    for c in text[: 4 * length]:
        marks = marks + 1 if unicodedata.category(c) in _COMBINING else 0
        if marks <= MARKS_IN_A_ROW:
            kept.append(c)
    more = "…" if len(text) > 4 * length else ""
    return shortened(printable("".join(kept)) + more, length)
