"""Webhooks of the stand-in: what is posted, when, and what is lost."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.simulator import ManualClock, Profile, World
from exporter.simulator.world.telemetry.webhooks import Webhooks

DELIVERY = ("delivery.dsn-success", "queue.rescheduled")


def world(version: str = "0.15.5", **hook: Any) -> tuple[World, Webhooks]:
    """A world with one webhook, which has posted nothing yet."""
    made = World(Profile(version=version), clock=ManualClock())
    made.webhooks.add("h", url="http://127.0.0.1:1/", **hook)
    return made, made.webhooks


def posted(hooks: Webhooks, *, accepted: bool, seconds: float = 0.0) -> list[dict[str, Any]]:
    """The events of the next post, which ends like this."""
    body = hooks.take("h")
    hooks.finish("h", accepted=accepted, seconds=seconds)
    return [] if body is None else body["events"]


def contents(events: list[dict[str, Any]]) -> list[Any]:
    """What a repetition of events has in common with them."""
    return [(event["type"], event["createdAt"], event["data"]) for event in events]


@pytest.mark.parametrize(("version", "same"), [("0.15.5", True), ("0.16.10", True), ("0.16.11", False)])
def test_ids_are_shared_or_fresh(version: str, same: bool):
    """Up to v0.16.10 all events of a type and second share one; later each serialisation has another."""
    made, hooks = world(version, events=["server.licensing"])
    made.raise_event("server.licensing", times=3)

    first = posted(hooks, accepted=False)
    again = posted(hooks, accepted=True)

    assert contents(first) == contents(again)
    assert (len({event["id"] for event in first + again}) == 1) is same
    assert len({event["id"] for event in first + again}) == (1 if same else 6)


def test_a_failed_batch_comes_again_as_one_run_with_newer_events_on_a_side():
    """Until it is accepted; then it never comes again."""
    made, hooks = world()
    made.submit(["u@ok.test"])
    first = contents(posted(hooks, accepted=False))
    made.raise_event("server.licensing")

    second = contents(posted(hooks, accepted=True))

    assert len(second) == len(first) + 1
    assert first in (second[1:], second[:-1])
    made.raise_event("server.licensing")
    assert len(posted(hooks, accepted=True)) == 1


def test_what_comes_during_a_slow_post_waits_for_another_event():
    """A post that takes longer than the throttle sets no timer."""
    made, hooks = world(throttle=1.0)
    made.raise_event("server.licensing")

    posted(hooks, accepted=True, seconds=0.5)
    assert hooks.postings["h"].due
    posted(hooks, accepted=True, seconds=1.5)
    assert not hooks.postings["h"].due
    made.raise_event("server.licensing")
    posted(hooks, accepted=False, seconds=1.5)
    assert hooks.postings["h"].due


def test_old_events_are_dropped_when_a_failed_batch_comes_back():
    """A new event is tried at least once."""
    made, hooks = world(discard_after=300, events=["server.licensing"])
    made.raise_event("server.licensing")
    posted(hooks, accepted=False)
    made.advance(299)
    made.raise_event("server.licensing")
    assert len(posted(hooks, accepted=False)) == 2
    made.advance(1)

    assert len(posted(hooks, accepted=False)) == 2
    assert len(posted(hooks, accepted=True)) == 1
    assert hooks.to_json()["h"]["discarded"] == 1


def test_an_end_of_the_process_loses_what_was_not_accepted():
    """The next process begins with its own start."""
    made, hooks = world()
    made.submit(["u@ok.test"])
    posted(hooks, accepted=False)

    made.restart()

    (start,) = posted(hooks, accepted=True)
    assert (start["type"], start["data"]["version"]) == ("server.startup", "0.15.5")
    assert hooks.to_json()["h"]["lost"] > 5


def test_only_subscribed_events_are_posted_by_the_names_of_the_release():
    """With the keys of their session or attempt, and without them if they are late."""
    made, hooks = world(
        "0.16.18", events=["queue.authenticated-message-queued", "delivery.dsn-success"], late_share=0.0
    )
    made.submit(["u@ok.test"])
    made.tick()

    queued, success = posted(hooks, accepted=True)

    assert queued["data"]["listenerId"] == "submissions"
    assert success["data"]["queueId"] == queued["data"]["queueId"]
    assert success["data"]["to"] == "u@ok.test"
    made, hooks = world(events=["delivery.dsn-success"], late_share=1.0)
    made.submit(["u@ok.test"])
    made.tick()
    (late,) = posted(hooks, accepted=True)
    assert set(late["data"]) == {"to", "hostname", "code", "details", "spanId"}
