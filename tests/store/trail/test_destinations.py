"""Which destinations fail, since when, and with which reply."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.clock import unix_second
from exporter.store.reading import reading
from exporter.store.store import Store
from exporter.store.trail.destinations import FAILURES, failures_of, rejecting
from exporter.store.trail.rows import OutcomeRow, TrailRows, trail_writer

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def outcome(minutes_ago: int, domain: str, outcome: str, code: str = "", reason: str = "") -> OutcomeRow:
    at = unix_second(NOW) - minutes_ago * 60
    return OutcomeRow(1, at, outcome, reason, code, domain, "remote", "", "", "", "log", 1)


def written(path: Path, *outcomes: OutcomeRow, server: str = "mx1") -> Path:
    async def write() -> None:
        store = await Store.open(path, now=NOW)
        rows = TrailRows()
        rows.outcomes += outcomes
        await store.write(trail_writer([rows], server))
        await store.aclose()

    asyncio.run(write())
    return path


def test_failures_begin_after_a_success(tmp_path: Path):
    """The latest reply is shown, and the first failure without a success between the two."""
    path = written(
        tmp_path / "history.sqlite3",
        outcome(90, "big.test", "temporary_failure", "450"),
        outcome(60, "big.test", "delivered"),
        outcome(50, "big.test", "temporary_failure", "451", "unexpected_response"),
        outcome(10, "big.test", "permanent_failure", "550", "unexpected_response"),
        outcome(30, "mixed.test", "delivered"),
        outcome(20, "mixed.test", "temporary_failure", "421"),
        outcome(5, "mixed.test", "delivered"),
        outcome(5, "well.test", "delivered"),
    )

    with reading(path) as history:
        found = failures_of(
            history, "mx1", ["big.test", "mixed.test", "well.test", "new.test"], since=NOW - timedelta(days=8)
        )

    assert found.keys() == {"big.test", "mixed.test"}
    assert (found["mixed.test"].code, found["mixed.test"].first_at) == ("421", NOW - timedelta(minutes=20))
    failures = found["big.test"]
    assert (failures.first_at, failures.last_at) == (NOW - timedelta(minutes=50), NOW - timedelta(minutes=10))
    assert (failures.is_whole, failures.code, failures.reason) == (True, "550", "unexpected_response")


def test_a_long_row_of_failures_is_not_read_to_its_begin(tmp_path: Path):
    """The beginning is then only the earliest that was read."""
    many = [outcome(FAILURES + 50 - n, "big.test", "temporary_failure", "421") for n in range(FAILURES + 50)]
    path = written(tmp_path / "history.sqlite3", *many)

    with reading(path) as history:
        found = failures_of(history, "mx1", ["big.test"], since=NOW - timedelta(days=8))["big.test"]

    assert not found.is_whole
    assert found.first_at == NOW - timedelta(minutes=FAILURES)


def test_destinations_that_reject_are_counted_among_the_newest_outcomes(tmp_path: Path):
    """Those of the wanted server within the wanted time, the most first."""
    path = written(
        tmp_path / "history.sqlite3",
        outcome(5, "a.test", "permanent_failure"),
        *(outcome(5, "b.test", "permanent_failure") for _ in range(3)),
        outcome(5, "c.test", "temporary_failure"),
        outcome(3000, "old.test", "permanent_failure"),
    )
    written(path, outcome(5, "other-server.test", "permanent_failure"), server="mx2")

    with reading(path) as history:
        found = rejecting(history, "mx1", since=NOW - timedelta(days=1), most=5)

    assert list(found.items()) == [("b.test", 3), ("a.test", 1)]
