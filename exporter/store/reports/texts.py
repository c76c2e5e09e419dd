"""Texts from third parties, shortened for a column."""

from __future__ import annotations

import json
from collections.abc import Sequence

from exporter.printable import shortened
from exporter.store.reports.schema import TEXT_LIMIT

_MAX_LISTED = 100


def cut(text: str) -> str:
    """Return *text* shortened to the limit, with an ellipsis for what is cut."""
    return shortened(text, TEXT_LIMIT)


def listed(texts: Sequence[str]) -> str:
    """Return *texts* as a JSON list in one column; shortened so that it stays valid JSON."""
    if not texts:
        return "[]"
    kept = [cut(text) for text in texts[:_MAX_LISTED]]
    return json.dumps(kept, ensure_ascii=False)
