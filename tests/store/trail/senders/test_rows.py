"""Submissions counted in the trail's transactions: once each, by hour, with their destinations, failures, refusals."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.model.trail import MessageKind, RefusalReason
from exporter.store.store import Store
from exporter.store.trail.rows import MessageRow, OutcomeRow, RefusalRow, TrailRows, trail_writer
from exporter.store.trail.senders.rows import SenderCounter
from tests.support.reports import wire

NOW = wire.at("2026-11-22T12:34:56")
SECOND = int(NOW.timestamp())
HOUR = SECOND // 3600


def submission(
    number: int,
    *recipients: str,
    account: str = "alice",
    sender: str = "alice@example.test",
    late: int = 0,
) -> TrailRows:
    """One submitted message as the recorder hands it over."""
    rows = TrailRows()
    row = MessageRow(number, SECOND + late, accepted_at=SECOND + late, kind=MessageKind.SUBMITTED)
    row.account, row.sender, row.recipients = account, sender, len(recipients)
    rows.messages[number] = row
    rows.recipients = {(number, address): ("", SECOND + late) for address in recipients}
    return rows


def outcome(number: int, result: str = "permanent_failure") -> TrailRows:
    """One counted outcome of a message, an hour later."""
    rows = TrailRows()
    text = ("unexpected_response", "550", "ok.test", "remote", "a@ok.test", "mx.ok.test", "No such user", "log")
    rows.outcomes.append(OutcomeRow(number, SECOND + 3600, result, *text, 1))
    return rows


def refusal(number: int, reason: RefusalReason = RefusalReason.RELAY, account: str = "alice") -> TrailRows:
    """One refusal of a session of *account*."""
    rows = TrailRows()
    rows.refusals.append(
        RefusalRow(SECOND, "smtp.x", "192.0.2.1", number, "a@b.test", reason, "smtp", account, "", 0, "", "", False)
    )
    return rows


def written(directory: Path, *steps: TrailRows) -> sqlite3.Connection:
    """The history after each step was one transaction."""

    async def write() -> None:
        store = await Store.open(directory / "history.sqlite3", now=NOW)
        for step in steps:
            await store.save("mx1", tallies={}, watermarks={}, rows=trail_writer([step], "mx1"))
        await store.aclose()

    asyncio.run(write())
    return sqlite3.connect(directory / "history.sqlite3")


def hours(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Sender, hours from now, messages, recipients, destinations, failures and rejects."""
    sql = (
        "SELECT sender, hour - ?, messages, recipients, destinations, failures, rejects FROM sender_hour"
        " ORDER BY sender, hour"
    )
    found = connection.execute(sql, (HOUR,)).fetchall()
    connection.close()
    return found


def test_a_submission_counts_once_whichever_sources_show_it(tmp_path: Path):
    """The log and a live stream describe the same message; the second knows nothing new."""
    one, other = submission(1, "a@ok.test", "b@ok.test"), submission(2, "a@ok.test")

    assert hours(written(tmp_path, one, one, other, other)) == [("alice", 0, 2, 3, 2, 0, 0)]


def test_a_message_that_an_attempt_showed_first_counts_when_it_is_known_as_a_submission(tmp_path: Path):
    """An attempt does not tell how its message came into the queue."""
    attempt = TrailRows()
    attempt.messages[1] = MessageRow(1, SECOND, sender="alice@example.test")

    assert hours(written(tmp_path, attempt, submission(1, "a@ok.test"))) == [("alice", 0, 1, 1, 1, 0, 0)]


def test_destinations_are_different_addresses_outside_the_senders_domain(tmp_path: Path):
    """In each hour again."""
    steps = [
        submission(1, "a@ok.test", "bob@example.test"),
        submission(2, "a@ok.test", "b@ok.test"),
        submission(3, "a@ok.test", late=3600),
    ]

    assert hours(written(tmp_path, *steps)) == [("alice", 0, 2, 4, 2, 0, 0), ("alice", 1, 1, 1, 1, 0, 0)]


def counted(directory: Path, submissions: Sequence[tuple[str, str]], **bounds: int) -> sqlite3.Connection:
    """The history after these submissions, by sender and destination, each counted in a step of its own."""
    connection = written(directory)
    for sender, address in submissions:
        with connection:
            counter = SenderCounter(connection, "mx1", **bounds)
            counter.submitted(account="alice", sender=sender, at=SECOND, recipients=1, addresses=[address])
            counter.write()
    return connection


def test_the_number_of_destinations_is_bounded(tmp_path: Path):
    """Exact up to the bound, and never more."""
    submissions = [("alice@example.test", f"a{number}@ok.test") for number in range(5)]

    assert hours(counted(tmp_path, submissions, max_destinations=3)) == [("alice", 0, 5, 5, 3, 0, 0)]


def test_without_an_account_the_envelope_sender_counts(tmp_path: Path):
    """As over JMAP."""
    assert hours(written(tmp_path, submission(1, "a@ok.test", account=""))) == [
        ("alice@example.test", 0, 1, 1, 1, 0, 0)
    ]


@pytest.mark.parametrize("kind", [MessageKind.INCOMING, MessageKind.DSN, MessageKind.REPORT, MessageKind.UNKNOWN])
def test_other_mail_does_not_count(tmp_path: Path, kind: MessageKind):
    """Neither do its failures."""
    rows = submission(1, "a@ok.test")
    rows.messages[1].kind = kind

    assert hours(written(tmp_path, rows, outcome(1))) == []


def test_failures_and_rejects_count_for_the_sender(tmp_path: Path):
    """In the hour in which they happened; deferrals, wrong passwords and repeated rows do not."""
    steps = [
        submission(1, "a@ok.test"),
        outcome(1),
        outcome(1, "temporary_failure"),
        refusal(1),
        refusal(1),
        refusal(2),
        refusal(3, RefusalReason.AUTHENTICATION),
        refusal(4, account=""),
    ]

    assert hours(written(tmp_path, *steps)) == [("alice", 0, 1, 1, 1, 0, 2), ("alice", 1, 0, 0, 0, 1, 0)]


def test_submissions_are_counted_by_domain(tmp_path: Path):
    """Beyond the bound as others: where any sender is allowed, a client may name any domain."""
    submissions = [(f"a@{domain}.test", "x@ok.test") for domain in ("b", "c", "d", "b")]

    connection = counted(tmp_path, submissions, max_domains=2)

    found = connection.execute("SELECT domain, messages, counted FROM sender_domain ORDER BY domain").fetchall()
    connection.close()
    assert found == [("b.test", 2, 0), ("c.test", 1, 0), ("other", 1, 0)]
