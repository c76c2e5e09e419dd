"""Pages of the server's log."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import PayloadError
from exporter.model.delivery import LogLine
from exporter.stalwart.rest.logs import parse_log_answer
from tests.support.builders.outcomes import outcomes_of
from tests.support.paths import RECORDINGS
from tests.support.worlds.told_events import Attempt, Told, log_page, log_row

VERSIONS = ("rest-0.12.5", "rest-0.15.5")
PAGES = ("/api/logs?limit=100", "/api/logs?limit=100&page=2")

OUTCOMES = {
    # Read by eye from the recorded lines.
    "rest-0.12.5": {
        ("delivered", "", "250", "example.test"): 4,
        ("temporary_failure", "connection_error", "", "hang.test"): 1,
    },
    "rest-0.15.5": {
        ("temporary_failure", "unexpected_response", "451", "defer.test"): 9,
        ("temporary_failure", "connection_error", "", "refused.test"): 4,
        ("temporary_failure", "unexpected_response", "421", "busy.test"): 2,
        ("temporary_failure", "unexpected_response", "452", "full.test"): 2,
        ("temporary_failure", "connection_error", "", "hang.test"): 1,
    },
}


def recorded(version: str) -> list[dict[str, Any]]:
    """The rows of both recorded pages, newest first."""
    rows = json.loads((RECORDINGS / version / "exchanges.json").read_text())
    bodies = [next(r["body"] for r in rows if r["as"] == "watcher" and r["path"] == path) for path in PAGES]
    return [item for body in bodies for item in body["data"]["items"]]


def parse(*items: Any) -> list[LogLine]:
    return parse_log_answer(json.dumps({"data": {"items": list(items), "total": 200}}).encode()).lines


def row(event_id: str, details: str, **other: str) -> dict[str, str]:
    base = {
        "timestamp": "2026-01-15T10:30:01Z",
        "level": "INFO",
        "event": "x",
        "event_id": event_id,
        "details": details,
    }
    return base | other


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_lines_are_read_in_order(version: str):
    """Times, levels and ids, newest first."""
    items = recorded(version)

    lines = parse(*items)

    assert [line.at.strftime("%Y-%m-%dT%H:%M:%SZ") for line in lines] == [item["timestamp"] for item in items]
    assert [line.level for line in lines] == [item["level"].lower() for item in items]
    renamed = {"queue.queue-message": "queue.message-queued", "message-ingest.fts-index": "message-ingest.search-index"}
    assert [line.event_id for line in lines] == [renamed.get(i["event_id"], i["event_id"]) for i in items]


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_attempts_end_as_their_lines_say(version: str):
    """As many outcomes as deciding lines, with the reasons that a reader finds in the lines before them."""
    items = recorded(version)
    deciding = Counter(item["event_id"] for item in items)

    outcomes = outcomes_of(line.delivery for line in reversed(parse(*items)))

    assert Counter((o.outcome.value, o.reason, o.code, o.domain) for o in outcomes) == OUTCOMES[version]
    assert Counter(o.outcome.value for o in outcomes) == +Counter(
        delivered=deciding["delivery.dsn-success"],
        permanent_failure=deciding["delivery.dsn-perm-fail"],
        temporary_failure=deciding["queue.rescheduled"],
    )


def test_a_rejected_recipient_is_read_whole():
    """The span's pairs, then the event's own, some keys twice."""
    details = next(i["details"] for i in recorded("rest-0.15.5") if i["event_id"] == "delivery.rcpt-to-rejected")

    (line,) = parse(row("delivery.rcpt-to-rejected", details))

    told = line.delivery
    assert told is not None
    assert f'queueId = {told.queue_id}, queueName = "remote"' in details
    assert (told.queue_name, told.code, told.text) in {
        ("remote", 451, "Try again later"),
        ("remote", 452, "Mailbox full"),
    }
    assert told.recipient.partition("@")[2] == told.hostname.removeprefix("mx.")
    assert told.span_recipients == (told.recipient,)


def test_a_generation_without_virtual_queues_has_the_default_one():
    """Up to v0.12 no queue is named."""
    (line,) = parse(log_row(Attempt(queue_name=None), Told("queue.rescheduled", {"nextRetry": None})))

    assert line.delivery is not None
    assert line.delivery.queue_name == "default"
    assert line.delivery.queue_id == 285617422336009005


@pytest.mark.parametrize(
    "details",
    [
        'listenerId = "http", localPort = 8080, remoteIp = 127.0.0.1, remotePort = 46066, accountName = "watcher", '
        "accountId = 8",
        'listenerId = "http", localPort = 8080, remoteIp = ::1, remotePort = 46066, accountName = "watcher", '
        'accountId = 7, id = 2, details = "Authenticated with API key"',
        'listenerId = "http", localPort = 8080, remoteIp = 127.0.0.1, remotePort = 1, remoteIp = 127.0.0.1, '
        'accountName = "watcher"',
    ],
)
def test_a_login_names_account_and_listener(details: str):
    """By which our own requests are told from others."""
    (line,) = parse(row("auth.success", details))

    assert (line.account, line.listener, line.local_port) == ("watcher", "http", 8080)


def test_a_login_name_cannot_pretend_another_listener():
    """Whoever fails to log in chooses the name."""
    name = 'watcher", listenerId = "http", localPort = 8080'
    (line,) = parse(
        row(
            "auth.failed",
            f'listenerId = "smtp", localPort = 25, remoteIp = 192.0.2.1, remotePort = 1, accountName = "{name}"',
        )
    )

    assert (line.listener, line.local_port, line.account) == ("smtp", 25, name)


@pytest.mark.parametrize("details", ['version = "0.15.5"', 'hostname = "mx.example.org", version = "0.15.5"'])
def test_the_start_of_the_server_tells_its_version(details: str):
    """Most API keys may not ask for it."""
    (line,) = parse(row("server.startup", details))

    assert line.version == "0.15.5"
    assert parse(row("server.startup", 'details = "Migrated 3 blob links"'))[0].version == ""
    assert parse(row("smtp.ehlo", details))[0].version == ""


def test_levels_are_lower_case_and_closed():
    """What is no level is ``unknown``."""
    lines = parse(*(row("a.b", "", level=level) for level in ("ERROR", "WARN", "info", "DEBUG", "TRACE", "LOUD", "")))

    assert [line.level for line in lines] == ["error", "warn", "info", "debug", "trace", "unknown", "unknown"]


def test_times_are_utc_and_whole_seconds():
    """Offsets and fractions are understood."""
    spelled = ("2026-01-15T10:30:01Z", "2026-01-15T12:30:01+02:00", "2026-01-15T10:30:01.999Z")

    assert {line.at for line in parse(*(row("a.b", "", timestamp=t) for t in spelled))} == {
        datetime(2026, 1, 15, 10, 30, 1, tzinfo=UTC)
    }


def test_equal_lines_have_equal_fingerprints():
    """And lines that differ in anything have different ones; the order stays."""
    base = row("a.b", "x = 1")
    others = [base | {key: value} for key, value in (("level", "WARN"), ("event_id", "a.c"), ("details", "x = 2"))]
    others.append(base | {"timestamp": "2026-01-15T10:30:02Z"})

    lines = parse(base, *others, base)

    assert lines[0].fingerprint == lines[-1].fingerprint
    assert len({line.fingerprint for line in lines}) == 5
    assert [line.event_id for line in lines] == ["a.b", "a.b", "a.c", "a.b", "a.b", "a.b"]


def test_a_fingerprint_outlives_the_process_and_the_release():
    """What was counted before an upgrade is recognised after it."""
    (line,) = parse(row("auth.success", 'accountName = "ü"'))

    assert line.fingerprint == PINNED
    assert line.fingerprint < 2**63


PINNED = 1692071878225090367


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"timestamp": "2026-01-15T10:30:01Z"}, "data.items[1]"),
        (row("a.b", "", timestamp="now"), "data.items[1].timestamp"),
        (row("a.b", "", timestamp="2026-01-15T10:30:01"), "data.items[1].timestamp"),
        (row("a.b", "", timestamp="0001-01-01T00:00:00+23:00"), "data.items[1].timestamp"),
        (row("a.b", "") | {"details": None}, "data.items[1].details"),
        ("x", "data.items[1]"),
    ],
)
def test_what_is_mistyped_is_refused_with_its_path(item: Any, path: str):
    """No line is skipped in silence."""
    with pytest.raises(PayloadError, match="^" + path.replace("[", r"\[").replace("]", r"\]") + ":"):
        parse(row("a.b", ""), item)


def test_an_error_object_is_no_page():
    """A server without log files answers 200 with one."""
    with pytest.raises(PayloadError):
        parse_log_answer(b'{"error":"unsupported","details":"Tracer log path not configured"}')


@given(st.data())
def test_a_damaged_page_is_read_or_refused(data: st.DataObject):
    """Any cut, and any byte changed, gives lines or `PayloadError`."""
    rows = [log_row(Attempt(), Told("delivery.dsn-success", {"to": "d@example.com", "hostname": "mx", "code": 250}))]
    page = bytearray(log_page([*rows, row("auth.success", 'accountName = "x"')]))
    for _ in range(data.draw(st.integers(0, 4))):
        page[data.draw(st.integers(0, len(page) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(page[: data.draw(st.integers(0, len(page)))])

    try:
        lines = parse_log_answer(cut).lines
    except PayloadError:
        return
    assert all(line.at.tzinfo is UTC for line in lines)
