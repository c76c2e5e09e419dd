"""The short cut for thousands of failure texts counts what reading each of them would."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.queue import FailureReason
from exporter.stalwart.events.failures import classify_failure
from exporter.stalwart.rest.queue.failure_counts import count_flat_failures, count_nested_failures

FRAGMENTS = [
    "Error for ",
    "mx.example.com",
    "::1",
    ": ",
    ":",
    "Unexpected response",
    " for RCPT TO:<c@example.com>",
    " from 'mx.example.com'",
    "Connection to 'mx.example.com' failed",
    "Connection failed",
    "DNS lookup failed",
    "Rate limited",
    "Queue error",
    "Temporary Failure for ",
    "Code: ",
    "Code: 451",
    "4511",
    "550",
    ", Enhanced code: 4.7.1, Message: ",
    "Try again later",
    "\0",
    "<",
    ">",
    "\n",
]
REPLY = "Code: 451, Enhanced code: 4.7.1, Message: Try again later"

texts = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join) | st.text(max_size=30)
usual_flat = st.builds(
    "Error for mx{}.example.com: {}".format,
    st.integers(0, 9),
    st.sampled_from(
        [
            f"Unexpected response for RCPT TO:<c@example.com>: {REPLY}",
            f"Unexpected response for EHLO mx.example.test: {REPLY}",
            "Connection failed: I/O error: Connection refused (os error 111)",
            "DNS lookup failed: Domain not found",
            "Rate limited",
        ]
    ),
)
usual_nested = st.sampled_from(
    [
        REPLY,
        f"Unexpected response from 'mx.example.com': {REPLY}",
        "Connection to 'mx.example.com' failed: timeout",
        "Rate limited",
    ]
)


@given(st.lists(usual_flat | texts, max_size=12))
def test_flat_texts_count_as_if_each_were_read(failures: list[str]) -> None:
    """Usual ones, hostile ones, and ones that hold the very signs that the short cut is made with."""
    assert count_flat_failures(failures) == Counter(map(classify_failure, failures))


@given(st.lists(usual_nested | texts, max_size=12))
def test_nested_texts_count_as_if_each_were_read(failures: list[str]) -> None:
    """The same for the older texts."""
    assert count_nested_failures(failures) == Counter(map(classify_failure, failures))


def test_text_that_pretends_to_be_two_is_one() -> None:
    """A remote that writes our own border into its reply cannot make up for a text that fits no pattern."""
    failures = ["nonsense", "Error for a.test: Rate limited:\0Error for b.test: DNS lookup failed"]

    assert count_flat_failures(failures) == {
        (FailureReason.UNKNOWN, ""): 1,
        (FailureReason.RATE_LIMITED, ""): 1,
    }


@pytest.mark.parametrize(
    ("text", "reason", "code"),
    [
        (
            f"Error for mx.example.com: Unexpected response for RCPT TO:<c@example.com>: {REPLY}",
            FailureReason.UNEXPECTED_RESPONSE,
            "451",
        ),
        ("Error for mx.x: Connection failed: Timeout", FailureReason.CONNECTION_ERROR, ""),
        ("Error for x: DNS lookup failed: No MX", FailureReason.DNS_ERROR, ""),
        ("Error for mx.x: TLS error: bad certificate", FailureReason.TLS_ERROR, ""),
        ("Error for mx.x: DANE authentication failure: no match", FailureReason.DANE_ERROR, ""),
        ("Error for mx.x: MTA-STS auth failed: not listed", FailureReason.MTA_STS_ERROR, ""),
        ("Error for x: Rate limited", FailureReason.RATE_LIMITED, ""),
        ("Error for x: Too many concurrent connections to remote server", FailureReason.CONCURRENCY_LIMITED, ""),
        ("Error for localhost: Queue error: Delivery canceled.", FailureReason.IO_ERROR, ""),
        ("Something new", FailureReason.UNKNOWN, ""),
    ],
)
def test_documented_flat_text_is_known(text: str, reason: FailureReason, code: str) -> None:
    """Every class of error of v0.13-v0.15."""
    assert count_flat_failures([text, text]) == {(reason, code): 2}


@pytest.mark.parametrize(
    ("text", "reason", "code"),
    [
        (REPLY, FailureReason.UNEXPECTED_RESPONSE, "451"),
        (f"Unexpected response from 'mx.x': {REPLY}", FailureReason.UNEXPECTED_RESPONSE, "451"),
        ("Connection to 'mx.x' failed: refused", FailureReason.CONNECTION_ERROR, ""),
        ("TLS error from 'mx.x': bad certificate", FailureReason.TLS_ERROR, ""),
        ("DANE failed to authenticate 'mx.x': no match", FailureReason.DANE_ERROR, ""),
        ("DNS lookup failed: No MX", FailureReason.DNS_ERROR, ""),
        ("", FailureReason.UNKNOWN, ""),
    ],
)
def test_documented_nested_text_is_known(text: str, reason: FailureReason, code: str) -> None:
    """Every class of error of v0.10-v0.12 that is spelled otherwise."""
    assert count_nested_failures([text, text]) == {(reason, code): 2}
