"""What is remembered between events is bounded, survives a restart, and holds no address."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from exporter.model.delivery import DeliveryEvent, Outcome
from exporter.stalwart.events.outcomes import FOLLOWED_EVENTS
from exporter.stalwart.events.tracker import GRACE_SECONDS, LATE_SECONDS, MAX_ATTEMPTS, WAIT_SECONDS, AttemptTracker
from tests.support.builders.delivery_events import (
    AT,
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
from tests.support.builders.outcomes import outcomes_of

DECIDING = {
    "delivery.dsn-success": Outcome.DELIVERED,
    "delivery.dsn-perm-fail": Outcome.PERMANENT_FAILURE,
    "queue.rescheduled": Outcome.TEMPORARY_FAILURE,
}


def test_the_wait_is_bounded_by_either_clock():
    """An end that never comes, and a reason that never comes, are not waited for without end."""
    seconds = 0.0
    folder = AttemptTracker(lambda: seconds)

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


def test_the_state_of_an_earlier_version_is_taken_up():
    """An attempt under way during an upgrade keeps its last failure."""
    failure = ["unexpected_response", "451", "example.com"]
    earlier = [[7, "remote", "example.com", failure, None, [[1, "connection_error", "", "x.test"], [2, *failure]]]]
    weak = [[7, "remote", "example.com", None, ["tls_error", "", "example.com"], []]]

    assert fold(RESCHEDULED, folder=AttemptTracker.from_state(earlier)) == [DEFERRED]
    assert fold(RESCHEDULED, folder=AttemptTracker.from_state(weak))[0][1] == "tls_error"


def test_attempts_do_not_mix():
    """Two virtual queues of one message are two attempts, and the next attempt's start forgets the one before."""
    other_queue = replace(RESCHEDULED, queue_name="slow")

    assert fold(REJECTED, other_queue)[0][1] == "unknown"
    assert fold(REJECTED, event("delivery.attempt-start"), RESCHEDULED)[0][1] == "unknown"
    assert fold(REJECTED, replace(RESCHEDULED, queue_id=8))[0][1] == "unknown"


def test_what_is_remembered_is_bounded():
    """Attempts that never end push out the oldest."""
    folder = AttemptTracker()
    for queue_id in range(1, MAX_ATTEMPTS + 100):
        folder.feed(replace(REJECTED, queue_id=queue_id))
    for n in range(1000):
        folder.feed(replace(REJECTED, queue_id=MAX_ATTEMPTS + 99, recipient=f"u{n}@example.com", code=550))
    for n in range(1000):
        folder.feed(replace(GIVEN_UP, queue_id=MAX_ATTEMPTS + 99, recipient=f"u{n}@example.com"))
    last = replace(RESCHEDULED, queue_id=MAX_ATTEMPTS + 99)

    state = folder.to_state()

    assert len(state) == MAX_ATTEMPTS
    assert len(json.dumps(state[-1])) < 32_768
    # Of so many failures the permanent ones are forgotten, as they explain no deferral.
    assert fold(last, replace(last, event_id="delivery.attempt-end"), folder=folder)[0][1:3] == (
        "unexpected_response",
        "451",
    )


def test_a_deferral_that_is_pushed_out_is_counted():
    """More deferrals than are remembered are decided with what is known, none is lost."""
    folder = AttemptTracker()
    many = [replace(RESCHEDULED, queue_id=1 + n) for n in range(MAX_ATTEMPTS + 100)]

    early = [decision for each in many for decision in folder.feed(each)]

    assert len(early) == 100
    assert len(folder.finish()) == MAX_ATTEMPTS


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
    whole, before = AttemptTracker(), AttemptTracker()
    expected = [decision for e in events for decision in whole.feed(e)]

    found = [decision for e in events[:cut] for decision in before.feed(e)]
    state, strays = json.loads(json.dumps([before.to_state(), before.strays.to_state()]))
    after = AttemptTracker.from_state(state, strays=strays)
    found += [decision for e in events[cut:] for decision in after.feed(e)]

    assert [decision.outcome for decision in found] == [decision.outcome for decision in expected]
    assert json.dumps(after.to_state()) == json.dumps(whole.to_state())
    assert [each.outcome for each in after.finish()] == [each.outcome for each in whole.finish()]


def test_no_address_is_stored():
    """What goes to disk holds domains and checksums."""
    folder = AttemptTracker()
    folder.feed(replace(REJECTED, recipient="secret.person@example.com"))

    assert "secret" not in json.dumps(folder.to_state())
