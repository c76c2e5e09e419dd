"""Ids in base 32."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stalwart.common.ids import decode_id, encode_id
from exporter.stalwart.events.snowflakes import moment_of, node_of, second_of


@given(st.integers(0, 2**64 - 1))
def test_an_id_and_its_number_stand_for_each_other(number: int):
    """Whatever has 64 bits can be written and read back, without a leading zero digit and in either case."""
    text = encode_id(number)

    assert decode_id(text) == decode_id(text.upper()) == number
    assert text == "a" or not text.startswith("a")


def test_a_snowflake_tells_when_and_where_it_was_made():
    """The contract's own example: milliseconds and cluster node."""
    number = decode_id("jll13wiaaaab")

    assert number == 337065174630400001
    assert moment_of(number) == datetime(2026, 10, 26, 9, tzinfo=UTC)
    assert second_of(number) == moment_of(number).timestamp()
    assert node_of(number) == 1


def test_the_id_of_settings_is_an_ordinary_one():
    """``singleton`` is a number like any other."""
    assert decode_id("singleton") == 20080258862541


@given(st.text(max_size=20))
def test_what_is_no_id_is_refused(text: str):
    """Any text is either an id of 64 bits or a ValueError."""
    try:
        number = decode_id(text)
    except ValueError:
        return

    assert 0 <= number < 2**64


@pytest.mark.parametrize("text", ["", "8", "1_1", "p" * 14, "3333333333333", "342000182121998848"])
def test_numbers_and_too_long_texts_are_no_ids(text: str):
    """Ids of earlier releases are decimal: they are not taken for base 32 where a digit of theirs is none of ours."""
    with pytest.raises(ValueError, match="id"):
        decode_id(text)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_of_more_than_64_bits_has_no_id(number: int):
    """Nothing is cut off."""
    with pytest.raises(ValueError, match="64 bits"):
        encode_id(number)
