"""
The stable part of a received report's id.

Up to v0.15 an id is ``{number}_{expires}``, from v0.16 on the number alone, in base 32. The number survives an upgrade,
and a change of the server's retention of reports.
"""

from __future__ import annotations

from exporter.stalwart.common.ids import decode_id, encode_id


def lasting_id(source_id: str) -> str:
    """Return the number in decimal from an id in either form; anything else unchanged."""
    number, expiring, _ = source_id.partition("_")
    if expiring:
        return number
    try:
        decoded = decode_id(source_id)
    except ValueError:
        return source_id
    return str(decoded) if encode_id(decoded) == source_id else source_id


def spelled_alike(one: str, other: str) -> bool:
    """Whether two ids have the same form; ids from before and after an upgrade never occur in one list."""
    return ("_" in one) == ("_" in other)
