"""Where changes are recorded before and after they are made."""

from __future__ import annotations

from typing import Protocol

from exporter.stalwart.operator.effects import Effect


class Journal(Protocol):
    """A lasting record of changes; both methods raise `StoreError`, and without a record there is no change."""

    def begin(self, action: str, message_id: str, recipients: int) -> int:
        """Record that a change is about to be requested; *recipients* is 0 for a whole message. Returns its number."""

    def end(self, number: int, effect: Effect) -> None:
        """Record what became of it."""
