"""What operators do to the queue, on each release."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.simulator import ManualClock, Profile, World
from exporter.simulator.world.mail.operations import everybody
from exporter.simulator.world.mail.queue import Message, Recipient

IGNORING = ("0.13.4", "0.15.5", "0.16.8")
OBEYING = ("0.11.8", "0.12.5", "0.16.9", "0.16.18")
SLEEPING = ("0.11.8", "0.15.5", "0.16.12")


def world(version: str, **profile: str) -> World:
    return World(Profile(version=version, **profile), clock=ManualClock())  # type: ignore[arg-type]


def deferred(made: World, *recipients: str) -> Message:
    """A message whose first attempt has failed."""
    message = made.submit(list(recipients))
    made.tick()
    return message


def named(part: str) -> Callable[[Recipient], bool]:
    return lambda recipient: part in recipient.address


@pytest.mark.parametrize("version", [*IGNORING, *OBEYING])
def test_a_retry_is_obeyed_or_only_accepted(version: str) -> None:
    """From v0.13.0 to v0.16.8 the answer is the same, and an empty attempt is counted."""
    made = world(version)
    message = deferred(made, "u@defer.test")
    before = made.ledger.events["delivery.attempt-start"]

    accepted = made.operations.retry(message.queue_id, everybody, made.now())
    made.tick()

    assert accepted
    assert message.recipients[0].retry_num == (1 if version in IGNORING else 2)
    assert made.ledger.events["delivery.attempt-start"] == before + 1


@pytest.mark.parametrize("version", [*IGNORING, *OBEYING])
def test_the_cancellation_of_one_recipient_is_obeyed_or_only_accepted(version: str) -> None:
    """The same releases; the whole message goes on all of them."""
    made = world(version)
    message = deferred(made, "a@defer.test", "b@defer.test")

    accepted = made.operations.cancel(message.queue_id, named("a@"))
    statuses = [recipient.status for recipient in message.recipients]
    whole = made.operations.cancel(message.queue_id, None)

    assert (accepted, whole) == (True, True)
    assert statuses == (["temp_fail", "temp_fail"] if version in IGNORING else ["perm_fail", "temp_fail"])
    assert made.queue_size() == 0


def test_a_virtual_queue_called_default_obeys() -> None:
    """On the releases that ignore all others."""
    made = world("0.15.5", remote_queue="default")
    message = deferred(made, "u@defer.test")

    made.operations.retry(message.queue_id, everybody, made.now())
    made.tick()

    assert message.recipients[0].retry_num == 2
    assert message.recipients[0].max_attempts == 11


def test_a_cancellation_also_hits_who_was_delivered() -> None:
    """The filter looks at addresses alone."""
    made = world("0.15.5", remote_queue="default")
    message = deferred(made, "a@ok.test", "a@defer.test", "b@defer.test")

    made.operations.cancel(message.queue_id, named("a@"))

    statuses = {recipient.address: recipient.status for recipient in message.recipients}
    assert statuses == {"a@ok.test": "perm_fail", "a@defer.test": "perm_fail", "b@defer.test": "temp_fail"}


@pytest.mark.parametrize("version", [*SLEEPING, "0.16.13"])
def test_a_resumed_queue_sleeps_until_something_happens(version: str) -> None:
    """A retry wakes it, even one that is ignored."""
    made = world(version)
    message = deferred(made, "u@defer.test")
    made.pause_queue()
    made.advance(3600)

    made.resume_queue()
    made.tick()
    resumed = message.recipients[0].retry_num
    made.operations.retry(message.queue_id, everybody, made.now())
    made.tick()

    assert (resumed == 1) == (version in SLEEPING)
    assert message.recipients[0].retry_num >= 2


def test_a_bulk_deletion_leaves_the_rest_asleep() -> None:
    """It pauses and resumes the queue; after a single deletion nothing stood still."""
    asleep = []
    for count in (1, 3):
        made = world("0.15.5")
        ids = [deferred(made, f"u{number}@defer.test").queue_id for number in range(4)]
        made.operations.bulk_cancel(ids[:count])
        asleep.append(made.queue.asleep)

    assert asleep == [False, True]


@pytest.mark.parametrize("version", ["0.12.5", "0.15.5", "0.16.18"])
def test_a_cancellation_during_an_attempt_is_undone(version: str) -> None:
    """The attempt writes the message back when it fails; cancelled again, it stays away."""
    made = world(version)
    message = deferred(made, "u@hang.test")
    removed = made.operations.cancel(message.queue_id, None) and made.queue_size() == 0

    made.advance(60)
    back = made.queue_size()
    made.operations.cancel(message.queue_id, None)
    made.advance(3600)

    assert (removed, back, made.queue_size()) == (True, 1, 0)


def test_up_to_0_12_a_retried_message_bounces_if_it_is_deferred_again() -> None:
    """Its expiry becomes ten seconds after the retry."""
    made = world("0.12.5")
    message = deferred(made, "u@defer.test")

    made.operations.retry(message.queue_id, everybody, made.now())
    made.advance(3600)

    assert message.queue_id not in made.queue.messages
    assert message.recipients[0].status == "perm_fail"
