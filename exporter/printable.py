"""Untrusted text made safe for a log line, a label, a page or a terminal. Markup is not escaped."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, replacement: str = REPLACEMENT) -> str:
    """
    Return *text* with *replacement* for each character that is not printable.

    These are control characters, line ends, marks that change the text direction, and all whitespace but the space.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else replacement for c in text)


def shortened(text: str, length: int) -> str:
    """Return *text* in at most *length* characters; an ellipsis replaces what was cut off."""
    return text if len(text) <= length else text[: length - 1] + "…"
