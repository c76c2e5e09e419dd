"""The exit statuses of ``queue``."""

from __future__ import annotations

from collections.abc import Collection

from exporter.stalwart.operator.effects import Result

ALL_APPLIED = 0
UNUSABLE = 1
"""The server did not respond or refused the login, or the history cannot be written."""

REFUSED = 2
"""Nothing was touched: invalid options or configuration, no confirmation, a missing login or permission."""

NOTHING_MATCHED = 3
NOT_ALL_APPLIED = 4
INTERRUPTED = 130

GOOD = (Result.APPLIED,)


def status_of(results: Collection[Result]) -> int:
    """Return the exit status for the results of a command that ran to its end."""
    if not results:
        return NOTHING_MATCHED
    return ALL_APPLIED if all(result in GOOD for result in results) else NOT_ALL_APPLIED
