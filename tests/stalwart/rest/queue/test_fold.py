"""What the queue's pages are read into, message by message and name by name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from exporter.model.queue import FailureReason, Held, RecipientStatus
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.builders.queue_reference import page_of, snapshot_of
from tests.support.builders.rest_queue import BIG, TAKEN_AT, domain, folded, message, recipient, stamp

REPLY = "Code: 451, Enhanced code: 4.7.1, Message: Try again later"


def nested(*domains: dict[str, Any], number: int = 0) -> dict[str, Any]:
    whole = message(number=number)
    del whole["recipients"]
    return {**whole, "domains": list(domains)}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("scheduled", RecipientStatus.SCHEDULED),
        ({"completed": "Code: 250, Enhanced code: 2.1.5, Message: OK"}, RecipientStatus.DELIVERED),
        ({"temp_fail": f"Error for mx.x: Unexpected response for EHLO: {REPLY}"}, RecipientStatus.TEMPORARY_FAILURE),
        ({"perm_fail": "Error for x: DNS lookup failed: none"}, RecipientStatus.PERMANENT_FAILURE),
    ],
)
def test_each_status_is_known(status: object, kind: RecipientStatus) -> None:
    """Every variant of v0.13-v0.15."""
    snapshot = folded(message(recipient(status=status)))

    assert snapshot.recipients == {("remote", kind): 1}
    assert snapshot.unknown == {}


@pytest.mark.parametrize("status", ["paused", "", {"frozen": "by hand"}, {"frozen": {"since": 7}}, {}])
def test_unknown_status_is_counted_as_such(status: object) -> None:
    """A status of a later release takes nothing down, and no time of it is believed."""
    late = recipient(status=status, next_retry=stamp(9999), expires=stamp(9999), retry_num=7)

    snapshot = folded(message(late), message(recipient(), number=1))

    assert snapshot.recipients[("remote", RecipientStatus.UNKNOWN)] == 1
    assert snapshot.unknown == {"recipient_status": 1}
    assert snapshot.attempts.total == 0
    assert snapshot.overdue == snapshot.expired == {}


def test_unknown_failure_text_is_counted_as_such() -> None:
    """Its class is unknown, its reply code still counts."""
    snapshot = folded(message(recipient(status={"temp_fail": "Error for mx.x: Something new: Code: 499, Message: x"})))

    assert snapshot.failures == {(RecipientStatus.TEMPORARY_FAILURE, FailureReason.UNKNOWN, "499"): 1}
    assert snapshot.unknown == {"failure_reason": 1}


def test_domain_failure_stands_for_recipients_that_are_still_scheduled() -> None:
    """Up to v0.12 a refused connection is told by the domain alone."""
    refused = {"temp_fail": "Connection to 'mx.refused.test' failed: I/O error: Connection refused (os error 111)"}
    rows = [{"address": "a@refused.test", "status": "scheduled"}, {"address": "b@refused.test", "status": "scheduled"}]

    snapshot = folded(nested(domain(*rows, status=refused)))

    assert snapshot.recipients == {("default", RecipientStatus.TEMPORARY_FAILURE): 2}
    assert snapshot.failures == {(RecipientStatus.TEMPORARY_FAILURE, FailureReason.CONNECTION_ERROR, ""): 2}
    assert snapshot.attempts.total == 6


def test_recipient_status_counts_before_its_domain() -> None:
    """A completed domain has refused recipients, and a scheduled one deferred recipients."""
    refused = {"address": "a@x.test", "status": {"perm_fail": "Code: 550, Enhanced code: 5.1.1, Message: No such user"}}
    deferred = {"address": "b@y.test", "status": {"temp_fail": REPLY}}

    snapshot = folded(nested(domain(refused, status={"completed": ""}), domain(deferred)))

    assert snapshot.failures == {
        (RecipientStatus.PERMANENT_FAILURE, FailureReason.UNEXPECTED_RESPONSE, "550"): 1,
        (RecipientStatus.TEMPORARY_FAILURE, FailureReason.UNEXPECTED_RESPONSE, "451"): 1,
    }


def test_both_shapes_in_one_page_are_read_each_as_it_is() -> None:
    """The shape is each message's own, in whatever order they come."""
    one = nested(domain({"address": "a@x.test", "status": "scheduled"}), number=0)
    two = message(recipient("b@y.test"), number=1)

    assert folded(one, two) == folded(two, one) == snapshot_of([one, two], TAKEN_AT)


def test_message_of_both_shapes_counts_once() -> None:
    """The newer member counts."""
    both = {**message(recipient("a@x.test")), "domains": [domain({"address": "b@y.test", "status": "scheduled"})]}

    assert folded(both).domains == {("x.test", RecipientStatus.SCHEDULED): 1}


def test_message_without_recipients_is_a_message() -> None:
    """An empty list is no missing one."""
    snapshot = folded({**message(), "recipients": []}, nested(number=1))

    assert (snapshot.messages, snapshot.recipients) == (2, {})


def test_ids_above_2_to_the_53_stay_exact() -> None:
    """They are bare numbers that no float holds."""
    result = QueueFold(TAKEN_AT).feed(page_of([message(number=0), message(number=7)]))

    assert (result.first_id, result.last_id) == (BIG + 1, BIG + 15)


@pytest.mark.parametrize(
    "spelling",
    ["2026-01-16T11:58:20Z", "2026-01-16T11:58:20.750Z", "2026-01-16T13:58:20+02:00", "2026-01-16 11:58:20Z"],
)
def test_creation_is_read_in_every_spelling_of_rfc_3339(spelling: str) -> None:
    """Fractions are dropped, offsets taken in."""
    snapshot = folded(message(), {**message(number=1), "created": spelling}, {**message(number=2), "created": spelling})

    assert snapshot.ages_seconds.total == 300
    assert snapshot.oldest_created_at == TAKEN_AT - timedelta(seconds=100)


def test_ages_fall_into_buckets_with_their_bounds() -> None:
    """A message of exactly a minute is at most a minute old; one from the future is not younger than now."""
    ages = [0, 59, 60, 61, 432000, 432001, -3600]

    snapshot = folded(*({**message(number=number), "created": stamp(age)} for number, age in enumerate(ages)))

    assert (snapshot.ages_seconds.counts[0], snapshot.ages_seconds.counts[1]) == (4, 1)
    assert snapshot.ages_seconds.counts[-2:] == (1, 1)
    assert snapshot.ages_seconds.total == 59 + 60 + 61 + 432000 + 432001


@pytest.mark.parametrize("pages", [(100, 200), (200, 100)])
def test_oldest_message_may_stand_on_any_page(pages: tuple[int, int]) -> None:
    """Ids and times of creation need not have the same order."""
    fold = QueueFold(TAKEN_AT)
    for number, seconds_ago in enumerate(pages):
        younger = {**message(number=2 * number + 1), "created": stamp(0)}
        fold.feed(page_of([{**message(number=2 * number), "created": stamp(seconds_ago)}, younger]))

    assert fold.finish(truncated=False).oldest_created_at == TAKEN_AT - timedelta(seconds=200)


def test_age_of_a_snapshot_between_two_seconds_is_exact() -> None:
    """Half a second too old for a bucket is too old."""
    fold = QueueFold(TAKEN_AT + timedelta(milliseconds=500))
    fold.feed(page_of([{**message(), "created": stamp(60)}]))

    ages = fold.finish(truncated=False).ages_seconds

    assert ages.counts[:2] == (0, 1)
    assert ages.total == 60.5


@pytest.mark.parametrize(("seconds_ago", "overdue"), [(300, {}), (301, {"remote": 1}), (-60, {})])
def test_recipient_is_overdue_after_five_minutes(seconds_ago: float, overdue: dict[str, int]) -> None:
    """A retry that is five minutes past and did not happen."""
    assert folded(message(recipient(next_retry=stamp(seconds_ago)))).overdue == overdue


@pytest.mark.parametrize(
    ("fields", "expired"),
    [
        ({"expires": stamp(1)}, {"remote": 1}),
        ({"expires": stamp(0)}, {"remote": 1}),
        ({"expires": stamp(-1)}, {}),
        ({"expires": None}, {}),
    ],
)
def test_recipient_past_its_expiry_is_expired(fields: dict[str, Any], expired: dict[str, int]) -> None:
    """And one that does not expire by time never is."""
    without = message(recipient())
    del without["recipients"][0]["expires"]

    assert folded(message(recipient(**fields))).expired == expired
    assert folded(without).expired == {}


RATE = "Rate limited"
CONCURRENCY = "Too many concurrent connections to remote server"


def test_who_is_held_back_by_a_limit_is_summed_by_queue_and_limiter() -> None:
    """With the first and the last release; what a remote server says of limits is not ours."""
    queue = folded(
        message(
            recipient(status={"temp_fail": f"Error for localhost: {RATE}"}, queue="local", next_retry=stamp(-3900))
        ),
        message(recipient(status={"temp_fail": f"Error for localhost: {RATE}"}, queue="local", next_retry=stamp(-300))),
        message(recipient(status={"temp_fail": f"Error for mx.x: {CONCURRENCY}"}, next_retry=stamp(-300))),
        message(recipient(status={"temp_fail": f"Error for mx.x: Unexpected response for EHLO: {REPLY}: {RATE}"})),
        message(recipient(status={"perm_fail": f"Error for localhost: {RATE}"}, queue="local")),
    )

    sooner, later = TAKEN_AT + timedelta(seconds=300), TAKEN_AT + timedelta(seconds=3900)
    assert queue.held == {
        ("local", "rate"): Held(recipients=2, first_release_at=sooner, last_release_at=later),
        ("remote", "concurrency"): Held(recipients=1, first_release_at=sooner, last_release_at=sooner),
    }


def test_domain_that_is_held_back_holds_its_recipients_back_up_to_v0_12() -> None:
    """They are still scheduled; there is only one queue."""
    recipients: list[dict[str, Any]] = [{"address": f"{n}@x.test", "status": "scheduled"} for n in range(2)]
    recipients.append({"address": "3@x.test", "status": {"perm_fail": "Code: 550"}})
    held = domain(*recipients, status={"temp_fail": RATE}, next_retry=stamp(-60))

    queue = folded(nested(held, domain(*recipients)))

    release = TAKEN_AT + timedelta(seconds=60)
    assert queue.held == {("default", "rate"): Held(recipients=2, first_release_at=release, last_release_at=release)}


@pytest.mark.parametrize("status", [{"completed": "Code: 250"}, {"perm_fail": "Error for x: Rate limited"}])
def test_times_of_settled_recipients_mean_nothing(status: object) -> None:
    """They are always there, and count neither as attempts nor as lateness."""
    snapshot = folded(message(recipient(status=status, next_retry=stamp(9999), expires=stamp(9999), retry_num=4)))

    assert snapshot.overdue == snapshot.expired == {}
    assert (snapshot.attempts.total, sum(snapshot.attempts.counts)) == (0, 0)


@pytest.mark.parametrize("spelling", ["1969-12-31T23:59:59Z", None, "2053-06-02T00:00:00Z"])
def test_next_notice_may_be_anything(spelling: str | None) -> None:
    """After the last notice it is a second before 1970; it is not read at all."""
    assert folded(message(recipient(next_notify=spelling))).unknown == {}
