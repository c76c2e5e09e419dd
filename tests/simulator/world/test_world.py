"""The world: what happens to mail, and what its ledger, counters, log and queue say about it."""

from __future__ import annotations

from collections import Counter

import pytest

from exporter.simulator import Destination, ManualClock, Profile, Reply, Schedule, Temper, World

DAY = 86_400.0
LAB_DOMAINS = ("ok", "defer", "reject", "refused", "hang", "grey", "full", "busy", "nullmx", "nowhere", "expire")
VERSIONS = ("0.10.7", "0.12.5", "0.13.4", "0.15.5")


def world(version: str = "0.15.5", **profile: object) -> World:
    """A world whose time stands still."""
    return World(Profile(version=version, **profile), clock=ManualClock())  # type: ignore[arg-type]


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


def test_greylisted_mail_is_delivered_at_the_second_attempt() -> None:
    """A retry follows the schedule, and then the message leaves the queue."""
    made = world()
    made.submit(["u@grey.test"])

    made.advance(119)
    waiting = made.queue_size()
    made.advance(2)

    assert waiting == 1
    assert made.queue_size() == 0
    assert made.ledger.deliveries["delivered", "", "250", "grey.test"] == 1  # type: ignore[index]


def test_failure_puts_a_bounce_into_the_sender_s_mailbox() -> None:
    """A refused recipient leads to a message with an empty return path that is delivered locally."""
    made = world()
    made.submit(["u@reject.test"])

    made.tick()

    assert made.ledger.events["queue.queue-dsn"] == 1
    assert made.ledger.deliveries["delivered", "", "250", "example.test"] == 1  # type: ignore[index]
    assert made.directory.accounts["alice"].documents == 1


def test_bounce_to_a_foreign_sender_waits_in_queue_dsn() -> None:
    """A bounce that must leave the server is in virtual queue `dsn`, which counts attempts instead of time."""
    made = world()
    made.submit(["u@reject.test"], sender="relay@defer.test")

    made.tick()

    (bounce,) = made.queue.messages.values()
    assert (bounce.return_path, bounce.recipients[0].queue, bounce.recipients[0].expires) == ("", "dsn", None)
    made.advance(30 * DAY)
    assert made.queue_size() == 0
    assert made.ledger.events["delivery.double-bounce"] == 1


@pytest.mark.parametrize("version", ["0.12.5", "0.15.5"])
def test_deferred_mail_expires_and_fails_for_good(version: str) -> None:
    """At the end of its time a recipient is given up with the reason of its last failure."""
    made = world(version)
    made.submit(["u@defer.test"])

    made.advance(2.9 * DAY if version == "0.15.5" else 4.9 * DAY)
    before = made.ledger.events["delivery.dsn-perm-fail"]
    made.advance(DAY)

    assert (before, made.queue_size()) == (0, 0)
    assert made.ledger.events["delivery.failed"] == 1
    key = ("permanent_failure", "unexpected_response", "451", "defer.test")
    assert made.ledger.deliveries[key] == 1  # type: ignore[index]
    assert made.ledger.events["delivery.dsn-temp-fail"] >= 1


def test_short_schedule_expires_sooner() -> None:
    """A destination may have a schedule of its own."""
    made = world()
    made.set_destination("slow.test", Temper.DEFER, schedule=Schedule("remote", (15.0,), (DAY,), 25.0))
    made.submit(["u@slow.test"])

    made.advance(26)

    assert made.queue_size() == 0
    assert made.ledger.events["delivery.failed"] == 1


def test_restart_forgets_the_process_and_keeps_the_store() -> None:
    """Counters begin anew; queue, log, reports and ledger stay."""
    made = busy_world()
    events, size = Counter(made.ledger.events), made.queue_size()

    made.restart()

    assert made.queue_size() == size > 0
    assert made.journal.counters.counters == {}
    assert made.ledger.events - events == Counter({"server.startup": 1})
    assert log_events(made)["server.startup"] == 2


def test_restart_during_an_attempt_attempts_again() -> None:
    """An attempt that was under way is lost without a trace, and its message is tried again."""
    made = world()
    made.submit(["u@hang.test"])
    made.advance(1)
    under_way = made.journal.counters.gauges["delivery.active-connections"]

    made.restart()
    made.advance(10)

    assert under_way == 1
    assert made.ledger.events["delivery.attempt-start"] == 2
    assert made.ledger.events["delivery.attempt-end"] == 1
    assert made.journal.counters.gauges["delivery.active-connections"] == 0


def test_paused_queue_accepts_and_does_not_deliver() -> None:
    """While paused mail waits; after the pause it is delivered."""
    made = world()
    made.pause_queue()
    made.submit(["u@ok.test"])
    made.advance(600)
    waiting = made.queue_size()

    made.resume_queue()
    made.tick()

    assert waiting == 1
    assert made.queue_size() == 0


def test_restart_resumes_a_paused_queue() -> None:
    """The pause is kept in memory only."""
    made = world()
    made.pause_queue()

    made.restart()

    assert made.running


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


def test_every_virtual_queue_of_a_message_is_attempted_on_its_own() -> None:
    """From v0.13 on, local and remote recipients of one message have attempts of their own."""
    made, older = world(), world("0.12.5")
    for each in (made, older):
        each.submit(["bob@example.test", "u@ok.test"])

        each.tick()

    assert made.ledger.events["delivery.attempt-start"] == 2
    assert older.ledger.events["delivery.attempt-start"] == 1


def test_full_mailbox_defers_local_mail() -> None:
    """Local delivery can fail too, and recovers."""
    made = world()
    made.set_mailbox("bob", Reply(451, "4.3.0", "Mailbox over quota"))
    made.receive(["bob@example.test"])
    made.tick()
    waiting = made.queue_size()

    made.set_mailbox("bob", None)
    made.advance(200)

    assert (waiting, made.queue_size()) == (1, 0)
    # No event says why.
    assert made.ledger.deliveries["temporary_failure", "unknown", "", "example.test"] == 1  # type: ignore[index]


@pytest.mark.parametrize("version", ["0.12.5", "0.15.5", "0.16.18"])
def test_an_attempt_is_put_off_for_who_is_still_to_be_delivered(version: str) -> None:
    """The last failure of such a recipient counts, not that of one who is given up in the same attempt."""
    made = world(version)
    made.set_destination("mixed.test", "accept", replies={"gone": Reply(550, "5.1.1", "No such user")})
    made.submit(["u@defer.test", "v@reject.test", "gone@mixed.test"])

    made.tick()

    refused = "unexpected_response", "550"
    assert made.ledger.deliveries["temporary_failure", "unexpected_response", "451", "defer.test"] == 1  # type: ignore[index]
    assert made.ledger.deliveries["permanent_failure", *refused, "reject.test"] == 1  # type: ignore[index]
    assert made.ledger.deliveries["permanent_failure", *refused, "mixed.test"] == 1  # type: ignore[index]


@pytest.mark.parametrize("version", ["0.15.5", "0.16.18"])
def test_a_late_reason_is_told_between_the_deferral_and_the_end_of_its_attempt(version: str) -> None:
    """In the order in which a server of v0.15.5 was recorded."""
    made = world(version)
    made.set_destination("late.test", "defer", late_reasons=True)
    told: list[str] = []
    made.journal.listeners.append(lambda event: told.append(event.event_id))

    made.submit(["u@late.test"])
    made.tick()

    order = ["queue.rescheduled", "delivery.rcpt-to-rejected", "delivery.attempt-end"]
    assert [event_id for event_id in told if event_id in order] == order


@pytest.mark.parametrize(
    ("temper", "event_id", "reason"),
    [
        (Temper.SENDER_REJECTED, "delivery.mail-from-rejected", "unexpected_response"),
        (Temper.BREAKS_OFF, "delivery.rcpt-to-failed", "connection_error"),
        (Temper.TLS_BROKEN, "delivery.start-tls-error", "tls_error"),
        (Temper.DNS_BROKEN, "delivery.mx-lookup-failed", "dns_error"),
        (Temper.BUSY, "delivery.ehlo-rejected", "unexpected_response"),
        (Temper.REFUSE, "delivery.connect-error", "connection_error"),
        (Temper.HANG, "delivery.greeting-failed", "connection_error"),
        (Temper.TOO_BIG, "delivery.message-rejected", "unexpected_response"),
        (Temper.NULL_MX, "delivery.null-mx", "dns_error"),
        (Temper.UNKNOWN_DOMAIN, "delivery.ip-lookup-failed", "dns_error"),
        (Temper.MAILBOX_FULL, "delivery.rcpt-to-rejected", "unexpected_response"),
    ],
)
def test_each_temper_raises_its_event(temper: Temper, event_id: str, reason: str) -> None:
    """What a destination does shows as the event and the class of error that belong to it."""
    made = world()
    made.add_destination(Destination("odd.test", temper))
    made.submit(["u@odd.test"])

    made.advance(6)

    assert made.ledger.events[event_id] == 1
    assert {key.reason for key in made.ledger.deliveries if key.domain == "odd.test"} == {reason}


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
