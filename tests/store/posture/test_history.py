"""The history of checks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from exporter.model.posture import Check, CheckOutcome, CheckResult, CheckState, PolicyFile, Record
from exporter.store.posture.history import KEPT_CHANGES, KEPT_SECONDS, Change, PostureHistory, Since
from exporter.store.posture.reading import read_changes, read_states
from exporter.store.reading import reading
from exporter.store.store import Store

T = TypeVar("T")
NOW = 1_796_000_000

OUTCOME = CheckOutcome(
    domain="example.test",
    check=Check.SPF,
    result=CheckResult.BAD,
    seen=("v=spf1 \ufffd[31m", "there are several SPF records"),
    publish=(Record(name="example.test", type="TXT", content="v=spf1 mx -all \x00\xff"),),
    remove=(Record(name="example.test", type="TXT", content='"\\'),),
    files=(PolicyFile(url="https://mta-sts.example.test/", content="version: STSv1\r\n"),),
)
STATE = CheckState(outcome=OUTCOME, known=CheckResult.BAD, changed_at=NOW - 5, checked_at=NOW)


def change(at: int, result: CheckResult = CheckResult.BAD, *, domain: str = "example.test") -> Change:
    """A change of the SPF check."""
    return Change(domain=domain, check=Check.SPF, at=at, result=result, seen="")


def with_history(path: Path, work: Callable[[PostureHistory], Awaitable[T]]) -> T:
    """Runs *work* on the history of a server."""

    async def run() -> T:
        store = await Store.open(path, now=datetime.fromtimestamp(NOW, UTC))
        try:
            return await work(PostureHistory(store, "mx1"))
        finally:
            await store.aclose()

    return asyncio.run(run())


def test_a_state_reads_as_it_was_written(tmp_path: Path) -> None:
    """With every byte of its records; another server does not see it."""
    path = tmp_path / "history.sqlite3"
    with_history(path, lambda history: history.save([STATE], [change(NOW - 5)]))

    with reading(path) as connection:
        [stored] = read_states(connection, domain="example.test")
        assert list(read_states(connection, server="mx2")) == []
        [row] = read_changes(connection, "mx1", "example.test", most=10)
    assert (stored.server, stored.state) == ("mx1", STATE)
    assert (row["at"], row["check_name"], row["result"]) == (NOW - 5, "spf", "bad")
    assert with_history(path, lambda history: history.load()) == {
        ("example.test", Check.SPF): Since(CheckResult.BAD, NOW - 5)
    }


def test_what_is_gone_has_no_state_but_keeps_its_changes(tmp_path: Path) -> None:
    """A domain may come back, and what happened to it has happened."""
    path = tmp_path / "history.sqlite3"
    with_history(path, lambda history: history.save([STATE], [change(NOW)]))
    with_history(path, lambda history: history.save([], [], [("example.test", Check.SPF)]))

    with reading(path) as connection:
        assert list(read_states(connection)) == []
        assert len(read_changes(connection, "mx1", "example.test", most=10)) == 1


def test_changes_are_bounded(tmp_path: Path) -> None:
    """By number for a check that flaps, and by age."""
    path = tmp_path / "history.sqlite3"
    flapping = [change(NOW + n) for n in range(2 * KEPT_CHANGES)]
    with_history(path, lambda history: history.save([], [change(NOW - KEPT_SECONDS, domain="old.test"), *flapping]))

    with reading(path) as connection:
        kept = read_changes(connection, "mx1", "example.test", most=1000)
        assert [row["at"] for row in kept] == [NOW + n for n in reversed(range(KEPT_CHANGES, 2 * KEPT_CHANGES))]
        assert read_changes(connection, "mx1", "old.test", most=10) == []
