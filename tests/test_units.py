"""Durations and sizes, read and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.units import format_duration, format_size, parse_duration, parse_size

MILLISECONDS = st.integers(0, 40_000 * 86_400_000)
AMOUNTS = st.one_of(st.none(), st.integers(0, 10_000))
UNITS = (("d", 86_400.0), ("h", 3_600.0), ("m", 60.0), ("s", 1.0), ("ms", 0.001))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("400d", 34_560_000.0),
        ("1h30m", 5400.0),
        ("500ms", 0.5),
        ("5m500ms", 300.5),
        ("1d2h3m4s5ms", 93_784.005),
        ("1.5h", 5400.0),
        ("90", 90.0),
        (" 2.5 ", 2.5),
        (30, 30.0),
        (0.25, 0.25),
        (0, 0.0),
        ("0s", 0.0),
    ],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    """Every documented spelling gives its number of seconds."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "s", "30 s", "30S", "1w", "-5s", "+5s", "30m1h", "5s5s", "1e3", "1_000", "\u0663\u0660s"),
        *("inf", "nan", "1h30", "9" * 500 + "s", "9" * 500),
        *(True, False, None, [], {}, -1, -0.5, float("inf"), float("nan"), 10**400),
    ],
)
def test_what_is_no_duration_is_refused(value):
    """Anything else is a ValueError and never an invented number."""
    with pytest.raises(ValueError, match=r"duration|finite"):
        parse_duration(value)


@given(MILLISECONDS)
def test_a_shown_duration_is_read_back_as_the_same_number(milliseconds):
    """Showing and reading are inverse for every whole number of milliseconds."""
    seconds = milliseconds / 1000

    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(0, 1e9, allow_subnormal=False).filter(lambda value: value == 0 or value > 1e-9))
def test_a_duration_that_no_unit_divides_is_shown_exactly(seconds):
    """A fraction of a millisecond is shown in seconds, not rounded."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.tuples(*[AMOUNTS for _ in UNITS]).filter(lambda amounts: any(a is not None for a in amounts)))
def test_units_together_are_their_sum(amounts):
    """Units from large to small, any of them left out, add up."""
    parts = [(amount, unit, size) for amount, (unit, size) in zip(amounts, UNITS, strict=True) if amount is not None]

    seconds = parse_duration("".join(f"{amount}{unit}" for amount, unit, _ in parts))

    assert seconds == pytest.approx(sum(amount * size for amount, _, size in parts))


@given(st.one_of(st.text(max_size=100), st.floats(), st.integers(), st.none(), st.booleans(), st.binary(max_size=9)))
def test_any_value_is_a_duration_or_a_value_error(value):
    """No input ends in another exception, and no duration is negative or endless."""
    try:
        seconds = parse_duration(value)
    except ValueError:
        return

    assert 0 <= seconds < float("inf")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(30.0, "30s"), (60.0, "1m"), (5400.0, "1h30m"), (34_560_000.0, "400d"), (0.5, "500ms"), (0.0, "0s")],
)
def test_a_duration_is_shown_in_its_largest_units(value, shown):
    """What is shown is what a person would have written."""
    assert format_duration(value) == shown


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ("64MiB", 67_108_864),
        ("1 KiB", 1024),
        ("1.5KiB", 1536),
        ("10B", 10),
        ("4096", 4096),
        (4096, 4096),
        ("1GiB", 2**30),
    ],
)
def test_a_size_is_read_in_bytes(value, size):
    """Every documented spelling gives its number of bytes."""
    assert parse_size(value) == size


@pytest.mark.parametrize("value", ["", "MiB", "64MB", "64M", "64mib", "-1", -1, 1.5, "0.3B", True, None, float("nan")])
def test_what_is_no_size_is_refused(value):
    """Anything else is a ValueError."""
    with pytest.raises(ValueError, match="size"):
        parse_size(value)


@given(st.integers(0, 2**50))
def test_a_shown_size_is_read_back_as_the_same_number(size):
    """Showing and reading are inverse."""
    assert parse_size(format_size(size)) == size
