"""One rule from events to outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from exporter.model.delivery import DeliveryEvent
from exporter.stalwart.events.tracker import AttemptTracker
from tests.support.builders.delivery_events import (
    AT,
    CONNECT,
    DEFERRED,
    ENDED,
    GIVEN_UP,
    NO_TLS,
    REJECTED,
    RESCHEDULED,
    event,
    fed,
    fold,
)


def test_a_delivery_has_its_reply_code_and_no_reason():
    """The recipient's domain in lower case, the remote's code."""
    told = event("delivery.dsn-success", recipient="b@Example.NET", hostname="mx", code=250, text="Rate limited")

    assert fold(told) == [("delivered", "", "250", "example.net")]


def test_a_deferral_has_what_the_attempt_last_failed_of():
    """The event that decides does not say why; the last failure before it does."""
    assert fold(CONNECT, REJECTED, RESCHEDULED) == [
        ("temporary_failure", "unexpected_response", "451", "example.com"),
    ]
    assert fold(REJECTED, CONNECT, RESCHEDULED) == [("temporary_failure", "connection_error", "", "example.com")]


def test_a_deferral_without_a_failure_is_of_unknown_reason():
    """Local trouble writes no delivery event; the deferral is counted all the same."""
    assert fold(RESCHEDULED) == [("temporary_failure", "unknown", "", "example.com")]


def test_a_deferral_is_not_put_down_to_a_destination_that_has_everything():
    """A local attempt delivers its mail and is rescheduled all the same while other recipients of the message wait."""
    delivered = event("delivery.dsn-success", recipient="D@example.com", hostname="localhost", code=250)
    other = event("delivery.dsn-success", recipient="e@example.com", hostname="localhost", code=250)

    assert fold(delivered, RESCHEDULED)[1] == ("temporary_failure", "unknown", "", "")
    assert fold(other, RESCHEDULED)[1] == ("temporary_failure", "unknown", "", "example.com")


def test_missing_encryption_is_blamed_only_if_nothing_else_is():
    """Most mail is delivered after it."""
    delivered = event("delivery.delivered", recipient="d@example.com", code=250)

    assert fold(NO_TLS, RESCHEDULED) == [("temporary_failure", "tls_error", "", "example.com")]
    assert fold(REJECTED, NO_TLS, RESCHEDULED) == [("temporary_failure", "unexpected_response", "451", "example.com")]
    assert fold(NO_TLS, delivered, RESCHEDULED) == [("temporary_failure", "unknown", "", "example.com")]


GONE = replace(REJECTED, recipient="Gone@example.com", code=550)
PERMANENT = ("permanent_failure", "unexpected_response", "550", "example.com")


@pytest.mark.parametrize(
    "order",
    [
        (REJECTED, GONE, GIVEN_UP, RESCHEDULED, ENDED),
        (GONE, REJECTED, GIVEN_UP, RESCHEDULED, ENDED),
        (REJECTED, GONE, RESCHEDULED, GIVEN_UP, ENDED),
        (REJECTED, GIVEN_UP, RESCHEDULED, GONE, ENDED),
        (NO_TLS, GONE, GIVEN_UP, RESCHEDULED, REJECTED, ENDED),
        (NO_TLS, GONE, GIVEN_UP, RESCHEDULED, ENDED, REJECTED),
        (GONE, GIVEN_UP, ENDED, RESCHEDULED, REJECTED),
    ],
)
def test_a_deferral_is_not_put_down_to_a_recipient_that_was_given_up(order: Sequence[DeliveryEvent]):
    """One recipient is refused for good, another is deferred: whatever comes first, each has its own code."""
    both = [replace(each, span_recipients=("d@example.com", "gone@example.com")) for each in order]

    assert sorted(fold(*both)) == [PERMANENT, DEFERRED]


def test_a_recipient_that_was_delivered_after_a_failure_explains_no_deferral():
    """The first host refuses both, the second takes one of them."""
    first = (replace(CONNECT, domain="one.test"), replace(REJECTED, recipient="a@one.test"))
    success = event("delivery.dsn-success", recipient="a@one.test", code=250)
    both = ("a@one.test", "b@example.test")

    assert fold(*first, success, replace(RESCHEDULED, span_recipients=both))[1][1:] == ("unknown", "", "")


def test_a_refused_message_is_not_put_down_to_who_was_refused_before_it():
    """One recipient is deferred at RCPT, the other one's message is refused for good after DATA."""
    refused = event("delivery.message-rejected", hostname="mx", code=552, text="Message too big")
    given_up = replace(GIVEN_UP, text="Unexpected response for DATA: Code: 552, Message: Message too big")
    put_off = replace(RESCHEDULED, span_recipients=("d@example.com", "gone@example.com"))
    begun = event("delivery.domain-delivery-start", domain="example.com")

    assert fold(begun, REJECTED, refused, put_off, given_up, ENDED)[1] == DEFERRED


def test_what_befell_a_destination_that_was_given_up_explains_no_deferral():
    """The other destination's failure does, though it came first."""
    null_mx = event("delivery.null-mx", domain="null.test")
    given_up = event("delivery.dsn-perm-fail", recipient="a@null.test", text="DNS lookup failed: null MX")
    both = ("a@null.test", "d@example.com")

    assert fold(REJECTED, null_mx, given_up, replace(RESCHEDULED, span_recipients=both), ENDED)[1] == DEFERRED
    assert fold(null_mx, given_up, replace(RESCHEDULED, span_recipients=both), ENDED)[1][1] == "unknown"


def test_a_deferral_waits_for_the_end_of_its_attempt():
    """What comes in between may explain it; a mere suspicion waits a little longer than a failure."""
    folder = AttemptTracker()

    assert fed(folder, NO_TLS, RESCHEDULED) == []
    assert fed(folder, REJECTED) == []
    assert fed(folder, ENDED) == ["451"]
    assert fed(folder, NO_TLS, RESCHEDULED, ENDED) == []
    assert folder.is_waiting((7, "remote"))
    assert fed(folder, REJECTED) == ["451"]
    assert fed(folder, NO_TLS, RESCHEDULED, ENDED, event("delivery.attempt-start")) == [""]


STRAY = replace(REJECTED, queue_id=0, queue_name="default", span_recipients=())
STRAY_DEFERRAL = replace(RESCHEDULED, queue_id=0, queue_name="default", span_recipients=())


@pytest.mark.parametrize(
    "order",
    [(NO_TLS, STRAY, RESCHEDULED, ENDED), (NO_TLS, RESCHEDULED, STRAY, ENDED), (NO_TLS, RESCHEDULED, ENDED, STRAY)],
)
def test_a_failure_without_its_message_explains_the_deferral_of_its_recipient(order: Sequence[DeliveryEvent]):
    """A busy server writes it before or after the others, without what every event of the attempt has."""
    assert fold(*order) == [DEFERRED]


def test_a_failure_without_its_message_explains_no_other_deferral():
    """Of another recipient, or of the same one at another time."""
    later = [replace(each, at=AT + timedelta(minutes=2)) for each in (RESCHEDULED, ENDED)]

    assert fold(STRAY, replace(RESCHEDULED, span_recipients=("e@example.com",)), ENDED)[0][1] == "unknown"
    assert fold(STRAY, *later)[0][1] == "unknown"


def test_a_deferral_of_an_unknown_message_has_what_all_failures_near_it_agree_on():
    """Its message may be any of theirs; where they differ, nothing is known."""
    other = replace(STRAY, recipient="e@other.test")
    given_up = replace(GIVEN_UP, queue_id=0, span_recipients=())
    stray_gone = replace(GONE, queue_id=0, span_recipients=())

    assert fold(STRAY, STRAY_DEFERRAL) == [DEFERRED]
    assert fold(STRAY, other, STRAY_DEFERRAL) == [("temporary_failure", "unexpected_response", "451", "")]
    assert fold(STRAY, stray_gone, given_up, STRAY_DEFERRAL) == [PERMANENT, DEFERRED]
    assert fold(STRAY, replace(other, code=450), STRAY_DEFERRAL) == [("temporary_failure", "unknown", "", "")]
    assert fold(STRAY, replace(STRAY_DEFERRAL, at=AT + timedelta(seconds=3)))[0][1] == "unknown"
    assert fold(replace(STRAY, recipient="", domain=""), STRAY_DEFERRAL)[0][1] == "unknown"
