"""What happens to mail in the stand-in's world: attempts, deferrals, bounces and expiry."""

from __future__ import annotations

import pytest

from exporter.simulator import Destination, Reply, Schedule, Temper
from tests.support.worlds.busy import DAY, world


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
    """While paused mail waits; after the pause it is delivered, once something wakes the queue."""
    made = world()
    made.pause_queue()
    made.submit(["u@ok.test"])
    made.advance(600)
    waiting = made.queue_size()

    made.resume_queue()
    made.advance(600)
    asleep = made.queue_size()
    made.submit(["v@ok.test"])
    made.tick()

    assert (waiting, asleep) == (1, 1)
    assert made.queue_size() == 0


def test_restart_resumes_a_paused_queue() -> None:
    """The pause is kept in memory only."""
    made = world()
    made.pause_queue()

    made.restart()

    assert made.running


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
