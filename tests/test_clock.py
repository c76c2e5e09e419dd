"""Whole seconds and their spelling."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from exporter.clock import rfc3339, unix_second, whole_second

EAST = timezone(timedelta(hours=2))


def test_a_time_is_written_in_utc_without_its_fraction():
    """Zone and fraction do not change how a second is written or numbered."""
    at = datetime(2026, 1, 15, 12, 30, 0, 999_999, tzinfo=EAST)

    assert whole_second(at) == datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    assert rfc3339(at) == "2026-01-15T10:30:00Z"
    assert unix_second(at) == 1_768_473_000


def test_a_year_is_written_in_four_digits():
    """Early years sort as text, too."""
    assert rfc3339(datetime(987, 1, 1, tzinfo=UTC)) == "0987-01-01T00:00:00Z"


def test_a_time_that_utc_cannot_express_is_an_overflow():
    """The first hours of the calendar east of Greenwich have no UTC."""
    with pytest.raises(OverflowError):
        whole_second(datetime(1, 1, 1, tzinfo=EAST))
