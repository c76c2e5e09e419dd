"""Text that strangers wrote, made fit for a log line, a label, a page or a terminal. Markup is not escaped."""

from __future__ import annotations

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def printable(text: str, replacement: str = REPLACEMENT) -> str:
    """
    *text* with *replacement* for each character that cannot be printed.

    These are control characters, line ends, marks that change the direction of the text around them, and all blanks but
    the space.
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else replacement for c in text)


def shortened(text: str, length: int) -> str:
    """*text* in at most *length* characters; an ellipsis shows that something was left out."""
    return text if len(text) <= length else text[: length - 1] + "…"
