"""
Writes databases in MaxMind's format.

Contract: MaxMind DB File Format Specification, version 2.0: a binary tree, sixteen zero bytes, data, metadata.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Mapping

MARKER = b"\xab\xcd\xefMaxMind.com"
_MAP, _TEXT, _UINT16, _UINT32, _UINT64, _ARRAY = 7, 2, 5, 6, 9, 11

Record = Mapping[str, object]


def database(networks: Mapping[str, Record], kind: str = "GeoLite2-ASN") -> bytes:
    """A database with a record for each network; IPv4 networks lie below ``::/96``."""
    nodes: list[list[int | None]] = [[None, None]]
    data, offsets = b"", []
    leaves: dict[tuple[int, int], int] = {}
    for number, (text, record) in enumerate(networks.items()):
        offsets.append(len(data))
        data += _encoded(record)
        at = 0
        bits = _bits(text)
        for bit in bits[:-1]:
            if nodes[at][bit] is None:
                nodes.append([None, None])
                nodes[at][bit] = len(nodes) - 1
            at = nodes[at][bit] or 0
        leaves[at, bits[-1]] = number
    count = len(nodes)
    tree = b""
    for at, sides in enumerate(nodes):
        for bit, side in enumerate(sides):
            leaf = leaves.get((at, bit))
            value = count + 16 + offsets[leaf] if leaf is not None else count if side is None else side
            tree += struct.pack("!I", value)[1:]
    metadata = {
        "node_count": (_UINT32, count),
        "record_size": (_UINT16, 24),
        "ip_version": (_UINT16, 6),
        "database_type": kind,
        "languages": [],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1),
        "description": {},
    }
    return tree + bytes(16) + data + MARKER + _encoded(metadata)


def _bits(network: str) -> list[int]:
    parsed = ipaddress.ip_network(network)
    number, length = int(parsed.network_address), parsed.prefixlen + (96 if parsed.version == 4 else 0)
    return [number >> (127 - place) & 1 for place in range(length)]


def _encoded(value: object) -> bytes:
    if isinstance(value, str):
        raw = value.encode()
        return _head(_TEXT, len(raw)) + raw
    if isinstance(value, int):
        return _encoded((_UINT32, value))
    if isinstance(value, tuple):
        kind, number = value
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return _head(kind, len(raw)) + raw
    if isinstance(value, Mapping):
        return _head(_MAP, len(value)) + b"".join(_encoded(name) + _encoded(of) for name, of in value.items())
    if isinstance(value, list):
        return _head(_ARRAY, len(value)) + b"".join(map(_encoded, value))
    raise TypeError(type(value))


def _head(kind: int, size: int) -> bytes:
    """The control byte, with the bytes that extend its type and its size."""
    short = min(size, 29)
    head = bytes([kind << 5 | short]) if kind <= 7 else bytes([short, kind - 7])
    return head + (bytes([size - 29]) if short == 29 else b"")
