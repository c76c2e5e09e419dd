"""PNG files with a palette show the same picture."""

from __future__ import annotations

import struct
import zlib

import pytest

from tools.png import COLOURS, SIGNATURE, with_palette

Pixel = tuple[int, int, int]


def chunk(name: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, rows: list[bytes], *, kind: int = 2) -> bytes:
    """A picture of 8 bits per channel; each row begins with its filter."""
    header = struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)
    body = zlib.compress(b"".join(rows))
    return SIGNATURE + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def pixels(picture: bytes) -> list[list[Pixel]]:
    """The pixels of a picture with a palette and without filters."""
    chunks, at = {}, len(SIGNATURE)
    while at < len(picture):
        (length,) = struct.unpack_from(">I", picture, at)
        chunks[picture[at + 4 : at + 8]] = picture[at + 8 : at + 8 + length]
        at += length + 12
    width, height, depth, kind = struct.unpack_from(">IIBB", chunks[b"IHDR"])
    assert (depth, kind) == (8, 3)
    palette, raw = chunks[b"PLTE"], zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == height * (width + 1)
    rows = [raw[at + 1 : at + 1 + width] for at in range(0, len(raw), width + 1)]
    return [[tuple(palette[3 * number : 3 * number + 3]) for number in row] for row in rows]  # type: ignore[misc]


def test_each_filter_is_undone():
    """None, left, up, average and Paeth, as worked out by hand from the specification."""
    rows = [
        bytes([0, 10, 20, 30, 11, 22, 33]),
        bytes([1, 10, 20, 30, 1, 2, 3]),
        bytes([2, 0, 0, 0, 0, 0, 0]),
        bytes([3, 5, 10, 15, 1, 1, 2]),
        bytes([4, 0, 0, 0, 0, 0, 0]),
    ]

    first = [(10, 20, 30), (11, 22, 33)]
    assert pixels(with_palette(png(2, rows))) == [first, first, first, first, first]


def test_transparency_is_dropped():
    """Chromium writes RGBA where a page may be transparent."""
    assert pixels(with_palette(png(1, [bytes([0, 1, 2, 3, 255])], kind=6))) == [[(1, 2, 3)]]


def test_a_rare_colour_becomes_the_nearest():
    """What 256 colours cannot show differs least from the picture."""
    shades = [(number, 0, 0) for number in range(COLOURS)]
    row = [shade for shade in shades for _ in range(2)] + [(7, 1, 0)]

    [shown] = pixels(with_palette(png(len(row), [bytes([0, *(part for pixel in row for part in pixel)])])))

    assert shown == [*row[:-1], (7, 0, 0)]


@pytest.mark.parametrize("picture", [b"GIF89a", png(1, [bytes([0, 1])], kind=0)], ids=["no PNG", "shades of grey"])
def test_another_kind_of_picture_is_refused(picture: bytes):
    """It is not written in a wrong form."""
    with pytest.raises(ValueError, match="not"):
        with_palette(picture)
