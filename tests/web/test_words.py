"""Durations, moments and sizes in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from exporter.web.words import ago, duration, size
from tests.support.listener.app import NOW


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (601, "10 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (12000, "3 h 20 min"),
        (86400, "1 d"),
        (180000, "2 d 2 h"),
    ],
)
def test_durations_are_told_in_their_largest_units(seconds, expected):
    """Two units at most, and the smaller one only where it still says something."""
    assert duration(seconds) == expected


def test_a_moment_ahead_of_the_clock_is_told_as_such():
    """A clock that differs is seen, not hidden; a fraction of a second is not."""
    assert ago(NOW + timedelta(minutes=5), NOW) == "in 5 min"
    assert ago(NOW + timedelta(milliseconds=300), NOW) == "0 s ago"


@pytest.mark.parametrize(
    ("size_bytes", "expected"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5_300_000, "5.1 MiB"), (3 * 1024**4, "3072.0 GiB")],
)
def test_sizes_are_told_in_binary_units(size_bytes, expected):
    """Up to GiB."""
    assert size(size_bytes) == expected
