"""Smaller PNG files of pictures with few colours: one byte per pixel and a palette."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 256
RGB, RGB_WITH_ALPHA = 2, 6


def with_palette(picture: bytes) -> bytes:
    """
    Return *picture* with its 256 most frequent colours; rarer ones become the nearest of them. Transparency is dropped.

    Contract: the PNG specification; 8 bits per channel, RGB or RGBA, not interlaced. Raises `ValueError` for others.
    """
    chunks = list(_chunks(picture))
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    if depth != 8 or kind not in (RGB, RGB_WITH_ALPHA) or interlaced:
        raise ValueError(f"not 8 bits of RGB without interlacing: {depth} bits, type {kind}")
    channels = 3 if kind == RGB else 4
    raw = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    rows = [_colours(row, channels) for row in _unfiltered(raw, width * channels, channels)]
    numbers, palette = _palette(Counter(colour for row in rows for colour in row))
    # Filter 0, none: neighbouring numbers of colours have no relation.
    pixels = b"".join(b"\0" + bytes(map(numbers.__getitem__, row)) for row in rows)
    return SIGNATURE + b"".join(
        (
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette),
            _chunk(b"IDAT", zlib.compress(pixels, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not picture.startswith(SIGNATURE):
        raise ValueError("not a PNG file")
    at = len(SIGNATURE)
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        yield picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _unfiltered(raw: bytes, length: int, channels: int) -> Iterator[bytes]:
    """Yield the rows' bytes, each computed from its neighbours to the left and above."""
    above = bytes(length)
    for at in range(0, len(raw), length + 1):
        row = bytearray(raw[at + 1 : at + 1 + length])
        _undo(raw[at], row, above, channels)
        above = bytes(row)
        yield above


def _undo(kind: int, row: bytearray, above: bytes, channels: int) -> None:
    if kind == 0:
        return
    for i in range(len(row)):
        left = row[i - channels] if i >= channels else 0
        corner = above[i - channels] if i >= channels else 0
        guess = (0, left, above[i], (left + above[i]) // 2, _paeth(left, above[i], corner))[kind]
        row[i] = (row[i] + guess) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda near: abs(guess - near))


def _colours(row: bytes, channels: int) -> list[bytes]:
    return [row[at : at + 3] for at in range(0, len(row), channels)]


def _palette(counts: Counter[bytes]) -> tuple[dict[bytes, int], bytes]:
    kept = [colour for colour, _ in counts.most_common(COLOURS)]
    numbers = {colour: number for number, colour in enumerate(kept)}
    for colour in counts:
        if colour not in numbers:
            numbers[colour] = min(range(len(kept)), key=lambda number, colour=colour: _distance(kept[number], colour))  # type: ignore[misc]
    return numbers, b"".join(kept)


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))
