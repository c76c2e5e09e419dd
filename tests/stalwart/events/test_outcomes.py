"""The reason, the reply code and the domain of an outcome."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.domains import domain_name, domain_of
from exporter.model.delivery import DeliveryEvent
from tests.support.builders.delivery_events import CONNECT, REJECTED, RESCHEDULED, event, fold


def test_a_domain_that_is_none_is_not_taken_for_the_one_before():
    """An address literal has no name, whatever was tried before it."""
    begun = event("delivery.domain-delivery-start", domain="example.com")
    literal = event("delivery.domain-delivery-start", domain="[192.0.2.1]")
    given_up = event("delivery.dsn-perm-fail", recipient="a@[192.0.2.1]", text="Connection failed: refused")

    assert fold(begun, given_up)[0][3] == ""
    both = replace(RESCHEDULED, span_recipients=("a@[192.0.2.1]", "d@example.com"))
    assert fold(begun, literal, replace(CONNECT, domain="[192.0.2.1]"), both)[0][3] == ""


def test_a_domain_without_mx_has_not_failed_yet():
    """Its own address is tried next; if DNS fails there, that is the failure."""
    implicit = event(
        "delivery.mx-lookup-failed", domain="x.test", text="No MX records were found, attempting implicit MX."
    )
    no_address = event("delivery.ip-lookup-failed", domain="x.test", text="Temporary Failure for x: DNS lookup failed")

    assert fold(implicit, REJECTED, RESCHEDULED)[0][1] == "unexpected_response"
    assert fold(REJECTED, implicit, RESCHEDULED)[0][1] == "unexpected_response"
    assert fold(REJECTED, no_address, RESCHEDULED) == [("temporary_failure", "dns_error", "", "x.test")]


def test_a_given_up_recipient_has_the_reason_of_its_own_text():
    """The class of error and the code stand in the status text, from v0.13 on without a code of its own."""
    text = "Unexpected response for RCPT TO:<d@example.com>: Code: 550, Enhanced code: 5.1.1, Message: Code: 250"
    told = event("delivery.dsn-perm-fail", recipient="d@example.com", text=text)

    assert fold(CONNECT, told) == [("permanent_failure", "unexpected_response", "550", "example.com")]


def test_a_bare_message_beside_a_code_is_never_read():
    """Up to v0.12 the text is the remote's alone, and may look like one of ours."""
    told = event("delivery.dsn-perm-fail", recipient="d@example.com", code=554, text="Rate limited, Code: 250")

    assert fold(told) == [("permanent_failure", "unexpected_response", "554", "example.com")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Connection Error: Timeout while reading greeting", "connection_error"),
        ("I/O Error: Delivery canceled.", "io_error"),
        ("DANE Error: No matching certificates", "dane_error"),
        ("Queue error: Message expired without any delivery attempts made.", "io_error"),
    ],
)
def test_a_domains_failure_gives_up_its_recipients(text: str, reason: str):
    """Up to v0.12 a recipient without a status of its own has its domain's, as a cause."""
    told = event("delivery.dsn-perm-fail", recipient="d@example.com", text=text)

    assert fold(told) == [("permanent_failure", reason, "", "example.com")]


def test_a_given_up_recipient_without_a_text_has_its_own_last_failure():
    """Not that of another recipient of the same attempt."""
    other = replace(REJECTED, recipient="e@example.com", code=452)
    given_up = event("delivery.dsn-perm-fail", recipient="D@example.com")
    stranger = event("delivery.dsn-perm-fail", recipient="f@elsewhere.test")

    assert fold(REJECTED, other, given_up) == [("permanent_failure", "unexpected_response", "451", "example.com")]
    assert fold(CONNECT, given_up) == [("permanent_failure", "connection_error", "", "example.com")]
    assert fold(CONNECT, stranger) == [("permanent_failure", "unknown", "", "elsewhere.test")]


@pytest.mark.parametrize(
    ("told", "reason", "code"),
    [
        (event("delivery.auth-failed", code=535, text="SMTP Authentication Failed: Code: 535, Message: no"), 0, "535"),
        (
            event("delivery.mail-from-rejected", code=550, text="Unexpected SMTP Response: Code: 550, Message: n"),
            1,
            "550",
        ),
        (event("delivery.rcpt-to-failed", text="I/O Error: broken pipe"), 0, ""),
        (event("delivery.message-rejected", code=554, text="Rate limited"), 1, "554"),
        (event("delivery.message-rejected", text="Connection Error: Timeout"), 0, ""),
        (event("delivery.greeting-failed", text="Temporary Failure for mx: Connection failed: Timeout"), 0, ""),
        (event("delivery.ehlo-rejected", text="Temporary Failure: Unexpected response from 'm': Code: 421"), 1, "421"),
    ],
)
def test_failures_of_a_session_are_replies_or_broken_connections(told: DeliveryEvent, reason: int, code: str):
    """Same classes as in the queue's status of the recipient."""
    name = ("connection_error", "unexpected_response")[reason]

    assert fold(event("delivery.domain-delivery-start", domain="x.test"), told, RESCHEDULED) == [
        ("temporary_failure", name, code, "x.test")
    ]


def test_the_destination_falls_back_step_by_step():
    """The event's domain, its recipient's, the one being tried, the only one of the attempt, else none."""
    begun = event("delivery.domain-delivery-start", domain="begun.test")
    two = ("a@one.test", "b@two.test")
    rejected = event("delivery.message-rejected", code=554, hostname="mx", span_recipients=two)

    assert fold(begun, replace(rejected, domain="own.test"), RESCHEDULED)[0][3] == "own.test"
    assert fold(begun, replace(rejected, recipient="b@two.test"), RESCHEDULED)[0][3] == "two.test"
    assert fold(begun, rejected, RESCHEDULED)[0][3] == "begun.test"
    assert (
        fold(replace(rejected, span_recipients=two[:1]), replace(RESCHEDULED, span_recipients=two))[0][3] == "one.test"
    )
    assert fold(rejected, replace(RESCHEDULED, span_recipients=two))[0][3] == ""


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("A@Example.COM", "example.com"),
        ("a@b@example.com.", "example.com"),
        ("a@bücher.example", "xn--bcher-kva.example"),
        ("a@b c", ""),
        ("a@_x-1.test", "_x-1.test"),
        ("a@[192.0.2.1]", ""),
        ("a@192.0.2.1", ""),
        ('a@x", code = 250, to = "v', ""),
        ("a@x\ny.test", ""),
        ("a@" + "x" * 64 + ".test", ""),
        ("a@" + "x." * 127 + "test", ""),
        ("a@", ""),
        ("example.com", ""),
    ],
)
def test_only_what_can_be_a_domain_becomes_a_label(address: str, domain: str):
    """Forgeries, addresses and overlong names do not."""
    assert domain_of(address) == domain
    assert (domain_name(domain) or "") == domain
