"""Reports of large receivers beside the deliveries to them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.reports import wire
from tests.support.reports.commands import answer, call
from tests.support.reports.history import seconds, take_in

DAY = 86_400


def deliver(connection: sqlite3.Connection, number: int, at: int, sender: str, recipient: str, host: str) -> None:
    """One recipient to whom the trail says that it delivered."""
    connection.execute(
        "INSERT INTO trail_message VALUES ('mx1', ?, ?, NULL, '', '', '', '', '', ?, 0, 1, NULL, 0, '')",
        (number, at, sender),
    )
    connection.execute(
        "INSERT INTO trail_outcome VALUES (NULL, 'mx1', ?, ?, 'delivered', '', '', ?, '', '', ?, '', '', 0)",
        (number, at, recipient, host),
    )


def history(path: Path) -> None:
    """Google reports two days, one of them before the trail; a small receiver reports as well."""
    reports = []
    for ago, reporter in ((2, "google.com"), (6, "Google Inc."), (2, "small.test")):
        records = [wire.record(7, source="192.0.2.1"), wire.record(3, source="198.51.100.1")]
        report = wire.dmarc(f"r-{ago}", reporter=reporter, records=records, begin=seconds(ago), end=seconds(ago - 1))
        reports.append(("dmarc", report))
    take_in(path, reports)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO own_address VALUES ('mx1', '192.0.2.1', 0)")
        deliver(connection, 1, seconds(4), "other.test", "gmail.com", "")
        mails = [
            ("example.test", "gmail.com", "gmail-smtp-in.l.google.com"),
            ("news.example.test", "business.test", "ASPMX.L.google.com."),
            ("example.test", "small.test", "mx.small.test"),
            ("notexample.test", "gmail.com", ""),
            ("example.test", "customer.test", "customer-test.mail.protection.outlook.com"),
        ]
        for number, (sender, recipient, host) in enumerate(mails, 2):
            deliver(connection, number, seconds(2) + 3600, sender, recipient, host)


def test_what_a_receiver_reports_stands_beside_what_was_delivered_to_it(tmp_path: Path):
    """By day and receiver, business customers and subdomains included; before the trail nothing is known."""
    path = tmp_path / "h.sqlite3"
    history(path)

    found: dict[str, Any] = answer(path, "deliveries", "example.test")
    shown = call(path, "deliveries", "example.test").stdout

    assert [tuple(day.values())[1:] for day in found["days"]] == [
        ("google", 2, 7, 3),
        ("microsoft", 1, 0, 0),
        ("google", None, 7, 3),
    ]
    assert found["own_addresses"] == ["192.0.2.1"]
    assert "not kept" in shown
    assert call(path, "deliveries", "nobody.test").exit_code == 3


def test_without_own_addresses_it_says_what_is_missing(tmp_path: Path):
    """Otherwise every report would look like mail of others."""
    path = tmp_path / "h.sqlite3"
    history(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM own_address")

    assert "own addresses are not known" in call(path, "deliveries", "example.test").stdout
