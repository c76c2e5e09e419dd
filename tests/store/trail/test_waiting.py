"""What is stuck: recipients that wait after a failed attempt, by destination."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.model.trail import MessageKind
from exporter.store.reading import reading
from exporter.store.trail.rows import MessageRow, OutcomeRow, TrailRows
from exporter.store.trail.waiting import _WAITING, EXAMPLES, list_stuck
from tests.support.trails import BEGIN, NOW, SERVER, new_history, write_rows

DEFERRED = OutcomeRow(
    queue_id=1,
    at=BEGIN + 60,
    outcome="temporary_failure",
    reason="unexpected_response",
    code="451",
    domain="slow.test",
    queue_name="remote",
    recipient="",
    hostname="",
    text="",
    source="log",
    number=1,
)


def add(rows: TrailRows, id_: int, recipients: Sequence[str], *, expires_at: int | None = BEGIN + 86_400) -> None:
    """Add a message whose first attempt was put off."""
    rows.messages[id_] = MessageRow(
        queue_id=id_, at=BEGIN + id_, accepted_at=BEGIN + id_, kind=MessageKind.SUBMITTED, expires_at=expires_at
    )
    for recipient in recipients:
        rows.recipients[id_, recipient] = ("remote", BEGIN + id_)
    rows.outcomes.append(DEFERRED._replace(queue_id=id_, at=BEGIN + 60 + id_))


def end(rows: TrailRows, id_: int, recipient: str, outcome: str = "delivered") -> None:
    """Add the end of a recipient."""
    rows.outcomes.append(DEFERRED._replace(queue_id=id_, at=BEGIN + 120, outcome=outcome, recipient=recipient))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty history."""
    path = tmp_path / "h.sqlite3"
    new_history(path)
    return path


def test_only_what_still_waits_is_stuck(path: Path):
    """A recipient with an end, an expired message and one that was never tried are not; the rest is counted."""
    rows = TrailRows()
    add(rows, 1, ["a@slow.test", "b@slow.test", "c@fast.test"])
    end(rows, 1, "c@fast.test")
    add(rows, 2, ["a@slow.test"])
    add(rows, 3, ["a@done.test"])
    end(rows, 3, "a@done.test", "permanent_failure")
    add(rows, 4, ["a@expired.test"], expires_at=BEGIN - 86_400)
    rows.messages[5] = MessageRow(queue_id=5, at=BEGIN, accepted_at=BEGIN, kind=MessageKind.SUBMITTED)
    rows.recipients[5, "a@new.test"] = ("remote", BEGIN)
    write_rows(path, rows)

    with reading(path) as connection:
        stuck = list_stuck(connection, [SERVER, "mx9"], now=NOW)
        later = list_stuck(connection, [SERVER], now=NOW + timedelta(days=3))

    (only,) = stuck.destinations
    assert (only.domain, only.recipients, only.messages) == ("slow.test", 3, 2)
    assert int(only.oldest_at.timestamp()) == BEGIN + 1
    assert int(only.tried_at.timestamp()) == BEGIN + 62
    assert list(only.examples) == [2, 1]
    assert not stuck.truncated
    assert not later.destinations


def test_the_destination_with_most_waiting_recipients_comes_first(path: Path):
    """Of each, the messages that were tried last are examples."""
    rows = TrailRows()
    add(rows, 1, ["a@small.test"])
    for number in range(10, 20):
        add(rows, number, ["a@large.test"])
    write_rows(path, rows)

    with reading(path) as connection:
        large, small = list_stuck(connection, [SERVER], now=NOW).destinations

    assert (large.domain, large.recipients, small.domain) == ("large.test", 10, "small.test")
    assert list(large.examples) == list(range(19, 19 - EXAMPLES, -1))


def test_neither_the_trail_nor_the_outcomes_are_read_as_a_whole(path: Path):
    """The attempts come from their own index, everything else by key."""
    values = {"server": SERVER, "since": 0, "expired": 0, "most": 10}
    with reading(path) as connection:
        plan = [row["detail"] for row in connection.execute(f"EXPLAIN QUERY PLAN {_WAITING}", values)]

    assert [step for step in plan if step.startswith("SCAN") and step[5:] != "tried" and "subquery" not in step] == []
    assert any("trail_outcome_deferred" in step for step in plan)
