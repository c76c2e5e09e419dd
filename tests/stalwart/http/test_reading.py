"""Bodies as they are received, small and large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stalwart.http.reading import JOINED_BYTES, BodyBuffer


@given(st.lists(st.binary(max_size=64)))
def test_a_body_is_the_sum_of_its_pieces(pieces: list[bytes]):
    """However the network splits it."""
    body = BodyBuffer()
    for piece in pieces:
        body.add(piece)

    assert body.getvalue() == b"".join(pieces)
    assert len(body) == len(body.getvalue())


@pytest.mark.parametrize("beyond", [-1, 0, 1, 3])
def test_a_large_body_is_collected_without_loss(beyond: int):
    """Also where the way of collecting changes, and after that."""
    pieces = [bytes([number]) * (JOINED_BYTES // 4) for number in range(4 + beyond)]
    body = BodyBuffer()
    for piece in pieces:
        body.add(piece)

    assert body.getvalue() == b"".join(pieces)


def test_a_cleared_body_holds_nothing():
    """The exception that reports a bad response keeps the buffer alive."""
    body = BodyBuffer()
    body.add(bytes(JOINED_BYTES + 1))

    body.clear()

    assert body.getvalue() == b""
