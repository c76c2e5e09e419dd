"""The webhook and the log together count each outcome once, whatever one of them misses."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.ingest.counting.deliveries import LOG, TRACES, WEBHOOK, DeliveryOwners
from exporter.ingest.counting.repeats.shared_outcomes import KEEP_SECONDS, MAX_OUTCOMES, SharedOutcomes
from exporter.model.delivery import DeliveryEvent, DeliveryOutcome, Outcome
from exporter.stalwart.events.outcomes import SUCCESS
from exporter.stalwart.events.tracker import Decision
from exporter.store.webhooks.summary import SHARED_MARK
from tests.support.virtual_time import HandClock

NOW = 1_800_000_000
SIDES = {WEBHOOK: SharedOutcomes.take_posted, LOG: SharedOutcomes.take_logged}


def decision(recipient: str, second: int = NOW, queue_id: int = 5) -> Decision:
    """A delivery to *recipient*."""
    at = datetime.fromtimestamp(second, UTC)
    event = DeliveryEvent(SUCCESS, at, queue_id, "remote", recipient)
    return Decision(event, DeliveryOutcome(at, Outcome.DELIVERED, "ok.test", "", "250"), True)


@pytest.fixture
def owners() -> DeliveryOwners:
    """The webhook and the log own all times."""
    owners = DeliveryOwners(HandClock())
    owners.take_over(LOG)
    return owners


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([WEBHOOK, LOG])), max_size=30))
def test_the_source_with_more_of_an_outcome_decides(reports: list[tuple[str, str]]):
    """In any order, what is counted is the larger number of each outcome."""
    owners = DeliveryOwners(HandClock())
    owners.take_over(WEBHOOK)
    shared, counted = SharedOutcomes(), Counter[str]()

    for recipient, side in reports:
        counted.update(one.event.recipient for one in SIDES[side](shared, [decision(recipient)], owners))

    per_side = {side: Counter(r for r, s in reports if s == side) for side in SIDES}
    assert counted == per_side[WEBHOOK] | per_side[LOG]


def test_what_the_log_counted_before_it_was_compared_is_not_counted_again(owners: DeliveryOwners):
    """A webhook that is configured later posts what the log has counted already."""
    shared = SharedOutcomes()
    shared.begin(NOW)

    assert shared.take_posted([decision("a"), decision("b", NOW + 1)], owners) == [decision("b", NOW + 1)]
    assert shared.take_logged([decision("a")], owners) == [decision("a")]


def test_traces_exclude_both(owners: DeliveryOwners):
    """Once the traces own a second, neither the webhook nor the log counts it."""
    owners.take_over(TRACES)
    later = decision("a", NOW + 10**8)
    shared = SharedOutcomes()

    assert shared.take_posted([later], owners) == shared.take_logged([later], owners) == []


def test_a_log_line_without_its_message_counts_only_in_a_hole(owners: DeliveryOwners):
    """The webhook names the message of an outcome that a busy server logs without it."""
    shared = SharedOutcomes()
    shared.posted(NOW - 100, NOW)
    shared.hole(NOW + 60)
    shared.posted(NOW + 60, NOW + 120)

    seconds = {NOW - 200, NOW - 50, NOW + 30, NOW + 90, NOW + 300}
    counted = {second for second in seconds if shared.take_logged([decision("a", second, queue_id=0)], owners)}

    assert counted == {NOW - 200, NOW + 30, NOW + 300}


def test_a_failed_transaction_takes_back_what_it_added(owners: DeliveryOwners):
    """The outcomes of a step that was not saved are counted when it is repeated."""
    shared = SharedOutcomes()

    async def fail() -> None:
        async with shared.counting():
            assert shared.take_posted([decision("a")], owners)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        asyncio.run(fail())

    assert shared.take_logged([decision("a")], owners)
    assert not shared.take_posted([decision("a")], owners)


def test_a_step_that_is_cancelled_while_it_is_saved_stays(owners: DeliveryOwners):
    """The ledger completes what it has begun to write, so the other source must not count it again."""
    shared = SharedOutcomes()

    async def be_cancelled() -> None:
        async with shared.counting():
            assert shared.take_posted([decision("a")], owners)
            shared.rows(WEBHOOK)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(be_cancelled())

    assert not shared.take_logged([decision("a")], owners)


def test_old_outcomes_are_forgotten_and_late_posts_left_to_the_log(owners: DeliveryOwners):
    """What is posted after that has been counted from the log."""
    shared = SharedOutcomes()
    shared.logged(NOW - 1)
    assert shared.take_logged([decision("a")], owners)
    shared.logged(NOW + KEEP_SECONDS + 120)

    rows = shared.rows(LOG)

    assert rows[0].forget_before == rows[1].forget_before == (NOW + 120) // 60 * 60
    assert not shared.take_posted([decision("a")], owners)


def test_what_happened_before_the_log_was_first_read_is_counted_from_posts(owners: DeliveryOwners):
    """The log counts nothing of it, however old it is."""
    shared = SharedOutcomes()
    shared.logged(NOW + 10 * KEEP_SECONDS)
    for recipient in "abc":
        assert shared.take_posted([decision(recipient)], owners)
        shared.posted(NOW, NOW)
        shared.rows(WEBHOOK)


def test_memory_is_bounded_while_the_log_cannot_be_read(owners: DeliveryOwners):
    """The oldest minutes are forgotten, and later left to the webhook when the log is read again."""
    shared = SharedOutcomes()
    shared.logged(NOW - 60)
    step = 2000
    last = NOW + MAX_OUTCOMES // step * 60

    async def post_all() -> None:
        for second in range(NOW, last + 60, 60):
            async with shared.counting():
                shared.take_posted([decision(str(number), second) for number in range(step)], owners)
                shared.posted(NOW, second + 1)
                shared.rows(WEBHOOK)

    asyncio.run(post_all())

    assert shared._number <= MAX_OUTCOMES
    assert not shared.take_logged([decision("1", NOW)], owners)
    assert not shared.take_logged([decision("1", last)], owners)


def test_a_clock_that_is_set_back_far_is_followed(owners: DeliveryOwners):
    """Posts from before the forgotten time are new if nothing newer comes with them."""
    shared = SharedOutcomes()
    shared.logged(NOW - 10 * KEEP_SECONDS)
    shared.logged(NOW)
    shared.rows(LOG)
    assert not shared.take_posted([decision("a", NOW - 2 * KEEP_SECONDS)], owners)

    shared.posted(NOW - 2 * KEEP_SECONDS, NOW - 2 * KEEP_SECONDS)

    assert shared.take_posted([decision("b", NOW - 2 * KEEP_SECONDS)], owners)
    assert shared.marks()[SHARED_MARK]["posted_until"] == NOW - 2 * KEEP_SECONDS
