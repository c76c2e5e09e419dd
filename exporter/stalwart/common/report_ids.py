"""
What lasts in a server's id of a received report.

Up to v0.15 an id is ``{number}_{expires}``, from v0.16 on it is the number alone, in base 32. The number is the same in
both, and stays when the server is told to keep its reports for longer.
"""

from __future__ import annotations

from exporter.stalwart.common.ids import decode_id, encode_id


def lasting_id(source_id: str) -> str:
    """The number in decimal, from an id in either spelling; anything else as it stands."""
    number, expiring, _ = source_id.partition("_")
    if expiring:
        return number
    try:
        decoded = decode_id(source_id)
    except ValueError:
        return source_id
    return str(decoded) if encode_id(decoded) == source_id else source_id


def spelled_alike(one: str, other: str) -> bool:
    """Whether two ids may stand in one list of a server. (Ids from before and after its upgrade never do.)"""
    return ("_" in one) == ("_" in other)
