"""What people read: one console for tables and notes, with hostile text made harmless."""

from __future__ import annotations

from rich.console import Console

console = Console(highlight=False, soft_wrap=False)
problems = Console(stderr=True, highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """Text from elsewhere, without control characters and without markup."""
    return "".join(c if c.isprintable() else "�" for c in text).replace("[", "\\[")
