"""
Detection of wrong counter names by the server's schema.

Contract: Stalwart v0.16, ``GET /api/schema`` (a redirect to the schema's fingerprint) and
``GET /api/schema/{fingerprint}`` (JSON, compressed with gzip). Releases before v0.16.12 export counters under each
other's names, on the Prometheus page and in the live stream. v0.16.12 fixed that, and added the enum values that are
searched for here.
"""

from __future__ import annotations

import re
import zlib
from enum import Enum

import msgspec

MAX_BYTES = 64 * 1024 * 1024
"""The size limit of a decompressed schema."""

_SINCE_REPAIRED = {"MetricType": "smtp.dkim2-pass", "DkimSignatureType": "Dkim2RsaSha256"}
_FINGERPRINT = re.compile(r"[A-Za-z0-9_-]{8,128}")


class CounterNames(Enum):
    """The state of a server's counter names: correct, wrong or unknown."""

    RIGHT = "right"
    WRONG = "wrong"
    UNKNOWN = "unknown"


class _Named(msgspec.Struct):
    name: str


class _Schema(msgspec.Struct):
    enums: dict[str, msgspec.Raw]


_schema = msgspec.json.Decoder(_Schema)
_names = msgspec.json.Decoder(list[str | _Named])


def fingerprint_of(link: bytes) -> str:
    """Return the fingerprint in a redirect's target, or an empty string."""
    last = link.decode("ascii", "replace").rstrip("/").rpartition("/")[2]
    return last if _FINGERPRINT.fullmatch(last) else ""


def counter_names(body: bytes) -> CounterNames:
    """Return whether a schema's release has correct names; ``UNKNOWN`` if the schema cannot be parsed."""
    try:
        enums = _schema.decode(_unpacked(body)).enums
        found = {kind: _names.decode(enums[kind]) for kind in _SINCE_REPAIRED if kind in enums}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, zlib.error):
        return CounterNames.UNKNOWN
    if not found:
        return CounterNames.UNKNOWN
    has = any(_SINCE_REPAIRED[kind] in _plain(names) for kind, names in found.items())
    return CounterNames.RIGHT if has else CounterNames.WRONG


def _plain(names: list[str | _Named]) -> set[str]:
    return {name if isinstance(name, str) else name.name for name in names}


def _unpacked(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    return zlib.decompressobj(wbits=31).decompress(body, MAX_BYTES)
