"""The world: what happens to mail, and what its ledger, counters, log and queue say about it."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.simulator import ManualClock, Profile, Temper, World
from tests.support.worlds.busy import DAY, world

LAB_DOMAINS = ("ok", "defer", "reject", "refused", "hang", "grey", "full", "busy", "nullmx", "nowhere", "expire")
VERSIONS = ("0.10.7", "0.12.5", "0.13.4", "0.15.5")


def busy_world(version: str = "0.15.5", **profile: object) -> World:
    """A world in which mail of every kind was sent, an hour ago."""
    made = world(version, **profile)
    for domain in LAB_DOMAINS:
        made.submit([f"u@{domain}.test"])
    made.submit(["m@ok.test", "m@defer.test", "m@reject.test", "bob@example.test"])
    made.receive(["bob@example.test", "nobody@example.test"])
    made.advance(3600)
    return made


def log_events(made: World) -> Counter[str]:
    """The lines in the log by event id."""
    return Counter(item["event_id"] for item in made.journal.log.read("", 1, 0)["items"])


@pytest.mark.parametrize("version", VERSIONS)
def test_each_outcome_in_the_ledger_is_one_event(version: str) -> None:
    """Delivered, failed and put off add up to exactly the events that announce them."""
    made = busy_world(version)

    outcomes = made.ledger.outcomes()

    assert outcomes["delivered"] == made.ledger.events["delivery.dsn-success"] > 0
    assert outcomes["permanent_failure"] == made.ledger.events["delivery.dsn-perm-fail"] > 0
    assert outcomes["temporary_failure"] == made.ledger.events["queue.rescheduled"] > 0


@pytest.mark.parametrize("version", VERSIONS)
def test_counters_log_and_ledger_tell_the_same(version: str) -> None:
    """A counted event stands at its number in the ledger, and each logged one has its lines."""
    made = busy_world(version)

    counters = made.journal.counters.counters

    assert all(count == made.ledger.events[event_id] for event_id, count in counters.items())
    assert log_events(made) == Counter({event_id: n for (_, event_id), n in made.ledger.log_lines.items()})
    assert counters["delivery.attempt-start"] == made.ledger.events["delivery.attempt-end"]


def test_ledger_tells_reason_code_and_domain_of_each_failure() -> None:
    """Outcomes are kept by class of error, reply code and recipient domain."""
    made = world()
    for domain in ("reject", "refused", "nowhere", "grey"):
        made.submit([f"u@{domain}.test"], sender="elsewhere@example.test")

    made.tick()

    failures = {key for key in made.ledger.deliveries if key.outcome != "delivered"}
    assert ("permanent_failure", "unexpected_response", "550", "reject.test") in failures
    assert ("temporary_failure", "connection_error", "", "refused.test") in failures
    assert ("permanent_failure", "dns_error", "", "nowhere.test") in failures
    assert ("temporary_failure", "unexpected_response", "450", "grey.test") in failures


def test_restart_forgets_the_process_and_keeps_the_store() -> None:
    """Counters begin anew; queue, log, reports and ledger stay."""
    made = busy_world()
    events, size = Counter(made.ledger.events), made.queue_size()

    made.restart()

    assert made.queue_size() == size > 0
    assert made.journal.counters.counters == {}
    assert made.ledger.events - events == Counter({"server.startup": 1})
    assert log_events(made)["server.startup"] == 2


def test_counters_wrap_at_32_bits() -> None:
    """Above 4294967295 a counter begins anew, the ledger does not."""
    made = world()
    made.set_counter("auth.failed", 2**32 - 2)

    made.raise_event("auth.failed", times=3)

    assert made.journal.counters.counters["auth.failed"] == 1
    assert made.ledger.events["auth.failed"] == 3


def test_gauges_underflow_as_unsigned_64_bits() -> None:
    """A decrement below zero becomes a huge number."""
    made = world()

    made.raise_event("delivery.attempt-end")

    assert made.journal.counters.gauges["delivery.active-connections"] == 2**64 - 1


def test_ids_ascend_and_hold_their_time() -> None:
    """Ids are above 2^53, unique, and begin with the millisecond of their creation."""
    made = world()

    ids = [made.submit(["u@defer.test"]).queue_id for _ in range(300)]

    assert ids == sorted(set(ids))
    assert all(i > 2**53 for i in ids)
    assert (ids[0] >> 21) // 1000 + 1_632_280_000 == int(made.now())


def test_speed_divides_schedules_and_leaves_stamps_true() -> None:
    """At a hundredfold speed a retry comes after 1.2 seconds, at the real time it comes."""
    made = World(Profile(), clock=ManualClock(), speed=100.0)
    began = made.now()
    made.submit(["u@grey.test"])

    made.advance(1.3)

    assert made.queue_size() == 0
    assert made.now() == began + 1.3


def test_outgoing_reports_are_mailed_when_their_day_is_over() -> None:
    """What was collected about others is sent after midnight."""
    made = busy_world()
    collected = len(made.outgoing.ascending())

    made.advance(DAY)

    assert collected == 2
    assert made.ledger.events["queue.queue-report"] == 2
    assert made.ledger.events["outgoing-report.dmarc-aggregate-report"] == 1


def test_upgrade_changes_the_release_under_the_same_queue() -> None:
    """Messages queued under v0.12 are shown by v0.15 and delivered there."""
    made = busy_world("0.12.5")
    size = made.queue_size()

    made.upgrade("0.15.5", "enterprise")
    kept = made.queue_size()
    made.set_destination("defer.test", Temper.ACCEPT)
    made.advance(3 * 3600)

    assert kept == size
    assert made.ledger.deliveries["delivered", "", "250", "defer.test"] == 2  # type: ignore[index]
    assert made.profile.version == "0.15.5"


def test_same_seed_tells_the_same_story() -> None:
    """Two worlds with one seed write the same log."""
    first, second = busy_world(), busy_world()

    assert first.journal.log.read("", 1, 0) == second.journal.log.read("", 1, 0)
