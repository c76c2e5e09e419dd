"""What an answer says in one word, and as an exit status."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Fate(StrEnum):
    """
    What happened to the mail in question.

    Of several recipients the one that still needs attention counts: ``QUEUED`` before ``FAILED`` before ``UNKNOWN``
    before ``DELIVERED``. ``UNKNOWN`` means that the message is known, but not how it ended.
    """

    DELIVERED = "delivered"
    QUEUED = "queued"
    FAILED = "failed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"


EXIT_STATUS: Mapping[Fate, int] = {
    Fate.DELIVERED: 0,
    Fate.NOT_FOUND: 3,
    Fate.QUEUED: 4,
    Fate.FAILED: 5,
    Fate.REFUSED: 6,
    Fate.UNKNOWN: 7,
}
"""Exit statuses of ``why``; 1 means that the history cannot be read, 2 that the options are invalid."""
