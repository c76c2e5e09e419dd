"""Texts that strangers wrote, fit for a column."""

from __future__ import annotations

import json
from collections.abc import Sequence

from exporter.printable import shortened
from exporter.store.reports.schema import TEXT_LIMIT

_MAX_LISTED = 100


def cut(text: str) -> str:
    """One text; what is left out of a long one shows as an ellipsis."""
    return shortened(text, TEXT_LIMIT)


def listed(texts: Sequence[str]) -> str:
    """Several texts in one column, as a JSON list; cut so that it stays one."""
    if not texts:
        return "[]"
    kept = [cut(text) for text in texts[:_MAX_LISTED]]
    return json.dumps(kept, ensure_ascii=False)
