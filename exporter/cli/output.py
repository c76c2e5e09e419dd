"""What people read: one console for tables and notes, with hostile text made harmless."""

from __future__ import annotations

from rich.console import Console

PIPE_WIDTH = 1000
"""Columns where the output goes to another program: no cell of a table is folded or cut."""

console = Console(highlight=False, soft_wrap=False)
if not console.is_terminal:
    console.width = PIPE_WIDTH
problems = Console(stderr=True, highlight=False, soft_wrap=True)


def plain(text: str) -> str:
    """Text from elsewhere, without control characters and without markup."""
    return "".join(c if c.isprintable() else "�" for c in text).replace("[", "\\[")
