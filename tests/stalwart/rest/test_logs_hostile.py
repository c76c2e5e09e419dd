"""Log lines of which a stranger writes a part."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS
from exporter.stalwart.rest.logs import parse_log_answer
from tests.support.builders.outcomes import outcomes_of
from tests.support.worlds.told_events import Attempt, Cause, Milliseconds, Told, log_page, log_row

PIECES = (
    '"',
    "\\",
    ", ",
    " = ",
    "\n",
    'x", code = 250, to = "victim@bank.test',
    '", hostname = "mx.evil.test", code = 250, details = "OK',
    '", to = ["victim@bank.test"], size = 1, total = 1, to = "victim@bank.test", hostname = "h", code = 599, '
    'details = "',
    '", to = ["victim@bank.test"], size = 1, total = 1',
    '", to = ["victim@bank.test"',
    "], size = 1, total = 1, ",
    '", causedBy = SMTP error occurred (smtp.error) { details = "Connection Error',
    "queueId = 1, queueName = ",
    ", elapsed = 3ms",
    ", strict = true",
    "Code: 250",
    "domain = ",
    "v@evil.test",
)
HOSTILE = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=5)), max_size=8).map("".join)
REPLY = Milliseconds(30)


def read(attempt: Attempt, event: Told, *before: Told) -> DeliveryEvent:
    """The last of some lines of one attempt."""
    page = log_page([*(log_row(attempt, other) for other in before), log_row(attempt, event)])
    told = parse_log_answer(page).lines[0].delivery
    assert told is not None
    return told


def success(text: str, to: str = "d@example.com") -> Told:
    return Told("delivery.dsn-success", {"to": to, "hostname": "mx1.example.com", "code": 250, "details": text})


def rejected(text: str) -> Told:
    pairs = {"hostname": "mx1.example.com", "to": "d@example.com", "code": 550, "details": text, "elapsed": REPLY}
    return Told("delivery.rcpt-to-rejected", pairs)


def given_up(text: str) -> Told:
    status = f"Unexpected response for RCPT TO:<d@example.com>: Code: 550, Enhanced code: 5.1.1, Message: {text}"
    return Told(
        "delivery.dsn-perm-fail", {"to": "d@example.com", "hostname": "mx1.example.com", "details": status, "total": 0}
    )


def broken(text: str) -> Told:
    cause = Cause("smtp.error", [("details", "Unexpected SMTP Response"), ("code", 554), ("reason", text)])
    return Told("delivery.message-rejected", {"hostname": "mx1.example.com", "causedBy": cause, "elapsed": REPLY})


def test_the_example_of_a_forged_reply_changes_nothing():
    """The text that a remote server would send to be counted as another's delivery."""
    told = read(Attempt(), rejected('x", code = 250, to = "victim@bank.test"'))

    assert (told.code, told.recipient, told.hostname) == (550, "d@example.com", "mx1.example.com")
    assert told.text == 'x", code = 250, to = "victim@bank.test"'


@given(HOSTILE)
def test_no_reply_changes_what_the_server_says(text: str):
    """Whatever the remote writes, code, recipient, host and message are the server's."""
    for event, code in ((success(text), 250), (rejected(text), 550), (given_up(text), 0), (broken(text), 554)):
        told = read(Attempt(), event)

        assert told.event_id == event.id
        assert (told.queue_id, told.queue_name) == (285617422336009005, "remote")
        assert told.recipient == event.pairs.get("to", "")
        assert told.hostname == "mx1.example.com"
        assert told.code == code
        assert told.span_recipients == ("d@example.com",)


@given(HOSTILE)
def test_no_reply_changes_an_outcome(text: str):
    """The three outcomes of an attempt in which every reply is hostile; the third recipient is still to be reached."""
    attempt = Attempt(recipients=("c@example.com", "d@example.com", "e@example.com"))
    events = [rejected(text), broken(text), success(text, "c@example.com"), given_up(text), Told("queue.rescheduled")]
    page = log_page([log_row(attempt, event) for event in events])

    outcomes = outcomes_of(line.delivery for line in reversed(parse_log_answer(page).lines))

    assert [(o.outcome.value, o.reason, o.code, o.domain) for o in outcomes] == [
        ("delivered", "", "250", "example.com"),
        ("permanent_failure", "unexpected_response", "550", "example.com"),
        ("temporary_failure", "unexpected_response", "554", "example.com"),
    ]


@given(HOSTILE, HOSTILE)
def test_no_address_changes_what_the_server_says(address: str, text: str):
    """
    Sender and recipients stand before the event's own pairs; lines of the attempt without a text show where they end.

    Beside an address that imitates the server's writing nothing but the event itself is believed.
    """
    for attempt, recipient in (
        (Attempt(sender=address), "d@example.com"),
        (Attempt(recipients=(address,)), address),
        (Attempt(recipients=("d@example.com", address)), address),
    ):
        told = read(attempt, success(text, to=recipient), Told("delivery.attempt-start"))

        assert (told.event_id, told.queue_id) == ("delivery.dsn-success", 285617422336009005)
        believed = (told.recipient, told.hostname, told.code)
        assert believed in ((recipient, "mx1.example.com", 250), ("", "", 0))
        assert told.span_recipients in (tuple(attempt.recipients), ()) or '", "' in address


@given(HOSTILE)
def test_a_hostile_sender_never_changes_event_or_message(sender: str):
    """Even where no other line of the attempt is at hand."""
    told = read(Attempt(sender=sender), success("OK"))
    deferred = read(Attempt(sender=sender), Told("queue.rescheduled", {"nextRetry": None, "expires": None}))

    assert (told.event_id, told.queue_id, told.queue_name) == ("delivery.dsn-success", 285617422336009005, "remote")
    assert (deferred.recipient, deferred.code, deferred.text, deferred.domain) == ("", 0, "", "")
    assert deferred.span_recipients in (("d@example.com",), ())


def test_a_sender_cannot_choose_the_recipients():
    """Two lists of recipients in one line: neither is believed."""
    told = read(Attempt(sender='x", to = ["victim@bank.test"'), Told("queue.rescheduled", {"expires": None}))

    assert told.span_recipients == ()


def test_of_a_key_that_comes_twice_the_first_counts():
    """What comes later is the more likely to be forged."""
    details = 'to = "d@example.com", code = 550, to = "victim@bank.test", code = 250, details = "x"'
    row = {"timestamp": "2026-01-15T10:30:01Z", "level": "INFO", "event_id": "delivery.dsn-success", "details": details}
    (line,) = parse_log_answer(log_page([row])).lines

    assert line.delivery is not None
    assert (line.delivery.recipient, line.delivery.code) == ("d@example.com", 550)


def test_lines_that_begin_alike_are_not_mistaken_for_one_attempt():
    """A total of 12 begins like a total of 1."""
    short = log_row(Attempt(), success("OK"))
    long = short | {"details": short["details"].replace("total = 1, ", "total = 12, ")}

    told = [line.delivery for line in parse_log_answer(log_page([long, short])).lines]

    assert [(d.recipient, d.code) for d in told if d] == [("d@example.com", 250), ("d@example.com", 250)]


def test_a_quote_in_an_address_alone_is_no_imitation():
    """Odd, and harmless: the line is believed."""
    told = read(Attempt(sender='o"hara@example.org'), success("OK"))

    assert (told.recipient, told.code, told.span_recipients) == ("d@example.com", 250, ("d@example.com",))


def test_escapes_are_undone():
    """Line breaks of a reply come back as they were."""
    assert read(Attempt(), rejected('a\r\nb\t\\n "c"')).text == 'a\r\nb\t\\n "c"'


@pytest.mark.parametrize(
    "details",
    [
        "",
        "queueId",
        "queueId = 7",
        'queueId = 7, queueName = "remote", from = "',
        'queueId = 7, queueName = "remote", from = "a", to = [], size = 1, total = 1',
        'queueId = 99999999999999999999999, from = "a", to = [], size = 1, total = 1',
        'to = "d@example.com", code = many, details = "x"',
        'to = "d@example.com", details = ',
        'to = "d@example.com", details = "',
        "to = d@example.com",
        ', , , = "',
    ],
)
def test_a_line_cut_anywhere_is_still_an_event(details: str):
    """What cannot be read is absent."""
    for event_id in sorted(FOLLOWED_EVENTS):
        row = {"timestamp": "2026-01-15T10:30:01Z", "level": "INFO", "event_id": event_id, "details": details}
        (line,) = parse_log_answer(log_page([row])).lines
        assert line.event_id == event_id
        assert line.delivery is None or line.delivery.code == 0


@given(st.sampled_from(sorted(FOLLOWED_EVENTS)), HOSTILE)
def test_any_details_are_read(event_id: str, details: str):
    """No details raise anything."""
    row = {"timestamp": "2026-01-15T10:30:01Z", "level": "INFO", "event_id": event_id, "details": details}

    (line,) = parse_log_answer(log_page([row])).lines

    assert line.event_id == event_id
