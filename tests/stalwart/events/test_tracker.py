"""One rule from events to outcomes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domains import domain_name, domain_of
from exporter.model.delivery import DeliveryEvent, Outcome
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS
from exporter.stalwart.events.tracker import GRACE_SECONDS, LATE_SECONDS, MOST_ATTEMPTS, WAIT_SECONDS, AttemptFolder
from tests.support.outcomes import outcomes_of

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
DECIDING = {
    "delivery.dsn-success": Outcome.DELIVERED,
    "delivery.dsn-perm-fail": Outcome.PERMANENT_FAILURE,
    "queue.rescheduled": Outcome.TEMPORARY_FAILURE,
}


def event(id_: str, **fields: object) -> DeliveryEvent:
    base = DeliveryEvent(event_id=id_, at=AT, queue_id=7, queue_name="remote", span_recipients=("d@example.com",))
    return replace(base, **fields)


def fold(*events: DeliveryEvent, folder: AttemptFolder | None = None) -> list[tuple[str, str, str, str]]:
    return [(o.outcome.value, o.reason, o.code, o.domain) for o in outcomes_of(events, folder)]


def fed(folder: AttemptFolder, *events: DeliveryEvent) -> list[str]:
    """The codes of what *events* decide at once."""
    return [decision.outcome.code for each in events for decision in folder.feed(each)]


RESCHEDULED = event("queue.rescheduled")
REJECTED = event("delivery.rcpt-to-rejected", recipient="d@Example.COM", hostname="mx", code=451, text="later")
CONNECT = event("delivery.connect-error", domain="example.com", text="I/O Error: Connection refused (os error 111)")
NO_TLS = event("delivery.start-tls-unavailable", domain="example.com", text="STARTTLS was not advertised by host")


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


GIVEN_UP = event(
    "delivery.dsn-perm-fail",
    recipient="gone@example.com",
    text="Unexpected response for RCPT TO:<gone@example.com>: Code: 550, Enhanced code: 5.1.1, Message: No such user",
)
GONE = replace(REJECTED, recipient="Gone@example.com", code=550)
ENDED = event("delivery.attempt-end")
DEFERRED = ("temporary_failure", "unexpected_response", "451", "example.com")
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
    folder = AttemptFolder()

    assert fed(folder, NO_TLS, RESCHEDULED) == []
    assert fed(folder, REJECTED) == []
    assert fed(folder, ENDED) == ["451"]
    assert fed(folder, NO_TLS, RESCHEDULED, ENDED) == []
    assert folder.is_waiting((7, "remote"))
    assert fed(folder, REJECTED) == ["451"]
    assert fed(folder, NO_TLS, RESCHEDULED, ENDED, event("delivery.attempt-start")) == [""]


def test_the_wait_is_bounded_by_either_clock():
    """An end that never comes, and a reason that never comes, are not waited for without end."""
    seconds = 0.0
    folder = AttemptFolder(lambda: seconds)

    fed(folder, NO_TLS, RESCHEDULED)
    fed(folder, replace(RESCHEDULED, queue_id=8), replace(ENDED, queue_id=8))
    fed(folder, replace(RESCHEDULED, queue_id=9), replace(ENDED, queue_id=9))
    assert not folder.take_overdue(int(AT.timestamp()) + GRACE_SECONDS)
    assert [d.event.queue_id for d in folder.take_overdue(int(AT.timestamp()) + GRACE_SECONDS + 1)] == [8, 9]
    fed(folder, replace(RESCHEDULED, queue_id=8), replace(ENDED, queue_id=8))
    assert not folder.take_overdue()
    seconds = LATE_SECONDS
    assert [d.event.queue_id for d in folder.take_overdue()] == [8]
    seconds = WAIT_SECONDS
    assert [(d.event.queue_id, d.outcome.reason) for d in folder.take_overdue()] == [(7, "tls_error")]
    assert folder.to_state() == []


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


def test_the_state_of_an_earlier_version_is_taken_up():
    """An attempt under way during an upgrade keeps its last failure."""
    failure = ["unexpected_response", "451", "example.com"]
    earlier = [[7, "remote", "example.com", failure, None, [[1, "connection_error", "", "x.test"], [2, *failure]]]]
    weak = [[7, "remote", "example.com", None, ["tls_error", "", "example.com"], []]]

    assert fold(RESCHEDULED, folder=AttemptFolder.from_state(earlier)) == [DEFERRED]
    assert fold(RESCHEDULED, folder=AttemptFolder.from_state(weak))[0][1] == "tls_error"


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


def test_attempts_do_not_mix():
    """Two virtual queues of one message are two attempts, and the next attempt's start forgets the one before."""
    other_queue = replace(RESCHEDULED, queue_name="slow")

    assert fold(REJECTED, other_queue)[0][1] == "unknown"
    assert fold(REJECTED, event("delivery.attempt-start"), RESCHEDULED)[0][1] == "unknown"
    assert fold(REJECTED, replace(RESCHEDULED, queue_id=8))[0][1] == "unknown"


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


def test_what_is_remembered_is_bounded():
    """Attempts that never end push out the oldest."""
    folder = AttemptFolder()
    for queue_id in range(1, MOST_ATTEMPTS + 100):
        folder.feed(replace(REJECTED, queue_id=queue_id))
    for n in range(1000):
        folder.feed(replace(REJECTED, queue_id=MOST_ATTEMPTS + 99, recipient=f"u{n}@example.com", code=550))
    for n in range(1000):
        folder.feed(replace(GIVEN_UP, queue_id=MOST_ATTEMPTS + 99, recipient=f"u{n}@example.com"))
    last = replace(RESCHEDULED, queue_id=MOST_ATTEMPTS + 99)

    state = folder.to_state()

    assert len(state) == MOST_ATTEMPTS
    assert len(json.dumps(state[-1])) < 32_768
    # Of so many failures the permanent ones are forgotten, as they explain no deferral.
    assert fold(last, replace(last, event_id="delivery.attempt-end"), folder=folder)[0][1:3] == (
        "unexpected_response",
        "451",
    )


def test_a_deferral_that_is_pushed_out_is_counted():
    """More deferrals than are remembered are decided with what is known, none is lost."""
    folder = AttemptFolder()
    many = [replace(RESCHEDULED, queue_id=1 + n) for n in range(MOST_ATTEMPTS + 100)]

    early = [decision for each in many for decision in folder.feed(each)]

    assert len(early) == 100
    assert len(folder.finish()) == MOST_ATTEMPTS


EVENTS = st.builds(
    event,
    st.sampled_from(sorted(FOLLOWED_EVENTS)),
    queue_id=st.sampled_from([0, 1, 2]),
    queue_name=st.sampled_from(["remote", "local"]),
    at=st.integers(0, 9).map(lambda seconds: AT + timedelta(seconds=seconds)),
    recipient=st.sampled_from(["", "d@example.com", "e@other.test", '"@"']),
    span_recipients=st.sampled_from([(), ("d@example.com",), ("d@example.com", "e@other.test")]),
    domain=st.sampled_from(["", "example.com", "other.test", "!"]),
    code=st.sampled_from([0, 250, 451, 550, 7, 99999]),
    text=st.one_of(st.text(), st.sampled_from(["Connection Error: x", "I/O Error", "Code: 421, Message: x"])),
)


@given(st.lists(EVENTS, max_size=30))
def test_only_the_three_deciding_events_are_counted(events: list[DeliveryEvent]):
    """Each outcome is as frequent as its event, whatever else happens."""
    outcomes = outcomes_of(events)

    expected = Counter(DECIDING[e.event_id] for e in events if e.event_id in DECIDING)
    assert Counter(outcome.outcome for outcome in outcomes) == expected


@given(st.lists(EVENTS, max_size=30), st.integers(0, 30))
def test_a_restart_amid_an_attempt_changes_no_outcome(events: list[DeliveryEvent], cut: int):
    """What was remembered comes back from the store as JSON."""
    whole, before = AttemptFolder(), AttemptFolder()
    expected = [decision for e in events for decision in whole.feed(e)]

    found = [decision for e in events[:cut] for decision in before.feed(e)]
    after = AttemptFolder.from_state(json.loads(json.dumps(before.to_state())))
    found += [decision for e in events[cut:] for decision in after.feed(e)]

    assert [decision.outcome for decision in found] == [decision.outcome for decision in expected]
    assert json.dumps(after.to_state()) == json.dumps(whole.to_state())
    assert [each.outcome for each in after.finish()] == [each.outcome for each in whole.finish()]


def test_no_address_is_stored():
    """What goes to disk holds domains and checksums."""
    folder = AttemptFolder()
    folder.feed(replace(REJECTED, recipient="secret.person@example.com"))

    assert "secret" not in json.dumps(folder.to_state())
