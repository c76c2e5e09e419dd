"""What failure texts say."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.queue import FailureReason as Reason
from exporter.stalwart.events.failures import classify_failure, reply_code
from tests.support.paths import RECORDINGS

FAILURES = {"temp_fail": "temporary_failure", "perm_fail": "permanent_failure"}


@pytest.mark.parametrize(
    ("text", "reason", "code"),
    [
        (
            "Error for mx1.example.com: Unexpected response for RCPT TO:<c@example.com>: "
            "Code: 451, Enhanced code: 4.7.1, Message: Try again later",
            Reason.UNEXPECTED_RESPONSE,
            "451",
        ),
        ("Error for example.com: DNS lookup failed: Domain not found: NXDomain", Reason.DNS_ERROR, ""),
        ("Error for mx.x: Connection failed: Timeout while reading greeting", Reason.CONNECTION_ERROR, ""),
        ("Error for ::1: Connection failed: refused", Reason.CONNECTION_ERROR, ""),
        (
            "Error for mx.x: Connection failed: Authentication failed: Code: 535, Enhanced code: 5.7.8, Message: no",
            Reason.CONNECTION_ERROR,
            "535",
        ),
        ("Error for mx.x: TLS error: Handshake failed: bad certificate", Reason.TLS_ERROR, ""),
        ("Error for mx.x: DANE authentication failure: No matching certificates found", Reason.DANE_ERROR, ""),
        ("Error for mx.x: MTA-STS auth failed: Policy not found.", Reason.MTA_STS_ERROR, ""),
        ("Error for localhost: Rate limited", Reason.RATE_LIMITED, ""),
        ("Error for x: Too many concurrent connections to remote server", Reason.CONCURRENCY_LIMITED, ""),
        ("Error for localhost: Queue error: Delivery canceled.", Reason.IO_ERROR, ""),
        (
            "Unexpected response from 'mx1.example.com': Code: 550, Enhanced code: 5.1.1, Message: no",
            Reason.UNEXPECTED_RESPONSE,
            "550",
        ),
        ("Code: 451, Enhanced code: 4.7.1, Message: later", Reason.UNEXPECTED_RESPONSE, "451"),
        ("Connection to 'mx.hang.test' failed: Timeout", Reason.CONNECTION_ERROR, ""),
        ("TLS error from 'mx.x': Handshake failed", Reason.TLS_ERROR, ""),
        ("DANE failed to authenticate 'mx.x': no", Reason.DANE_ERROR, ""),
        (
            "Temporary Failure for mx.busy.test: Unexpected response for EHLO mx.example.test: "
            "Code: 421, Enhanced code: 4.3.2, Message: Service shutting down",
            Reason.UNEXPECTED_RESPONSE,
            "421",
        ),
        (
            "Temporary Failure: Connection to 'mx.hang.test' failed: Timeout while reading greeting",
            Reason.CONNECTION_ERROR,
            "",
        ),
        ("Permanent Failure for x: DNS lookup failed: null MX", Reason.DNS_ERROR, ""),
        ("Concurrency limited", Reason.CONCURRENCY_LIMITED, ""),
        (
            'SMTP error occurred (smtp.error) { details = "I/O Error", reason = "Connection refused (os error 111)" }',
            Reason.CONNECTION_ERROR,
            "",
        ),
        (
            'causedBy = SMTP error occurred (smtp.error) { details = "Unexpected SMTP Response", code = 554, '
            'details = "DATA", reason = "Code: 250" }',
            Reason.UNEXPECTED_RESPONSE,
            "554",
        ),
        ("The moon is in the wrong house", Reason.UNKNOWN, ""),
        ("", Reason.UNKNOWN, ""),
    ],
)
def test_each_form_of_text_has_its_class_and_code(text: str, reason: Reason, code: str):
    """All releases' spellings of one failure mean the same."""
    assert classify_failure(text) == (reason, code)


@given(st.text())
def test_a_remotes_message_never_makes_the_code(message: str):
    """The code is the server's, whatever the remote says behind it."""
    assert reply_code(f"Unexpected response for DATA: Code: 554, Enhanced code: 5.7.1, Message: {message}") == "554"
    assert reply_code(f"Code: 451, Enhanced code: 4.0.0, Message: Code: 250, {message}") == "451"
    assert reply_code(f"Error for mx.x: TLS error: Handshake failed: only valid for Code: 250 {message}") == ""
    assert reply_code(f"Connection failed: closed, Message: Code: 250 {message}") == ""


@given(st.text())
def test_any_text_has_a_class(text: str):
    """No text is too strange."""
    reason, code = classify_failure(text)

    assert reason in Reason
    assert code == "" or (len(code) == 3 and code.isascii() and code.isdigit())


@pytest.mark.parametrize("recording", ["rest-0.12.5", "rest-0.15.5"])
def test_recorded_queues_fail_as_an_independent_reader_found(recording: str):
    """Real status texts have the classes and codes of ``facts.json``."""
    facts = json.loads((RECORDINGS / recording / "facts.json").read_text())
    expected = {tuple(f["labels"].values()): f["value"] for f in facts if f["name"] == "stalwart_queue_failures"}

    found = Counter((FAILURES[key], *classify_failure(text)) for key, text in failing(recording))

    assert expected
    assert {(status, reason.value, code): n for (status, reason, code), n in found.items()} == expected


def failing(recording: str) -> Iterator[tuple[str, str]]:
    """Kind and text of each failing recipient; up to v0.12 a scheduled one stands as its domain does."""
    rows = json.loads((RECORDINGS / recording / "exchanges.json").read_text())
    items = next(r for r in rows if r["as"] == "watcher" and r["path"] == "/api/queue/messages?values=1")["body"]
    statuses: list[Any] = []
    for message in items["data"]["items"]:
        statuses += [recipient["status"] for recipient in message.get("recipients", [])]
        for domain in message.get("domains", []):
            statuses += [
                domain["status"] if recipient["status"] == "scheduled" else recipient["status"]
                for recipient in domain["recipients"]
            ]
    for status in statuses:
        if isinstance(status, dict) and "completed" not in status:
            yield from status.items()
