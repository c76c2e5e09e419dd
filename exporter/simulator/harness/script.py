"""A scripted day of the server: normal operation, a failing destination, a paused queue, recovery."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from exporter.simulator.world.mail.destinations import Destination, Temper
from exporter.simulator.world.mail.failures import Reply
from exporter.simulator.world.reports import DmarcRow, TlsPolicy
from exporter.simulator.world.world import World

HOUR = 3600.0
DAY = 86_400
QUARTER = HOUR / 4

BIG, CAMPUS, SHOP, SLOW = "big-mailbox.test", "campus.test", "shop.test", "slow-mailbox.test"


@dataclass(frozen=True, slots=True)
class Rates:
    """Rates of events, per hour of the scripted day."""

    outgoing: float = 90.0
    incoming: float = 40.0
    logins: float = 20.0
    wrong_logins: float = 2.0
    reports: float = 3.0


@dataclass(frozen=True, slots=True)
class Phase:
    """
    A part of the day: from `hour` on, after `change` was made, events happen at `rates`.

    Attributes:
        story: What begins, in a sentence.
    """

    hour: float
    story: str
    rates: Rates
    change: Callable[[World], None] = lambda world: None


CALM = Rates()


def _set(domain: str, temper: Temper, reply: Reply | None = None) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.set_destination(domain, temper, reply=reply)

    return change


def _pause(world: World) -> None:
    world.pause_queue()


def _resume(world: World) -> None:
    world.resume_queue()


def _steal(world: World) -> None:
    """A stolen account: 300 messages to 250 strangers within ten minutes."""

    def send(number: int) -> None:
        world.submit([f"stranger{number % 250}@{BIG}"], sender=f"bob@{world.profile.local_domain}")

    for number in range(300):
        world.after(2.0 * number / world.speed, lambda number=number: send(number))  # type: ignore[misc]


OVERLOADED = Reply(451, "4.3.2", "System overloaded, try again later")
PHASES = (
    Phase(0.0, "a calm night", CALM),
    Phase(3.0, "more mail is sent than can be delivered: the queue grows", replace(CALM, outgoing=300.0)),
    Phase(7.0, f"{BIG} defers everything: 451 system overloaded", CALM, _set(BIG, Temper.DEFER, OVERLOADED)),
    Phase(9.0, f"{BIG} refuses connections", CALM, _set(BIG, Temper.REFUSE)),
    Phase(12.0, f"{BIG} accepts again: the queue drains", CALM, _set(BIG, Temper.ACCEPT)),
    Phase(14.0, "somebody guesses passwords", replace(CALM, wrong_logins=200.0)),
    Phase(15.0, "an operator pauses the queue and forgets it", CALM, _pause),
    Phase(17.5, "the queue is resumed", CALM, _resume),
    Phase(19.0, "the account bob is stolen: 300 messages to 250 strangers", CALM, _steal),
    Phase(
        20.0,
        f"{CAMPUS} rejects everything: 550 listed",
        CALM,
        _set(CAMPUS, Temper.REJECT, Reply(550, "5.7.1", "Listed")),
    ),
    Phase(22.0, f"{CAMPUS} accepts again; a calm evening", replace(CALM, outgoing=40.0), _set(CAMPUS, Temper.ACCEPT)),
)


def demo_destinations() -> list[Destination]:
    """Return the mail hosts of the scripted day."""
    return [
        Destination(BIG, ip="198.51.100.11", starttls=True, tls_rpt=True, round_trip_ms=40),
        Destination(CAMPUS, ip="198.51.100.12", starttls=True, round_trip_ms=25),
        Destination(SHOP, ip="198.51.100.13", round_trip_ms=60),
        Destination(SLOW, Temper.GREYLIST, ip="198.51.100.14", round_trip_ms=150),
    ]


SENDERS = 200

# Shares of the outgoing mail; other errors stay rare.
_ADDRESSEES: Sequence[tuple[str, int]] = (
    (BIG, 40),
    (CAMPUS, 20),
    (SHOP, 15),
    (SLOW, 8),
    ("ok.test", 5),
    ("example.test", 8),
    ("reject.test", 2),
    ("busy.test", 1),
    ("defer.test", 1),
    ("nullmx.test", 1),
    ("nowhere.test", 1),
)


@dataclass(slots=True)
class Script:
    """
    Plays phases at the world's speed, day after day.

    Attributes:
        phase: The current phase.
        entered: Called with each phase when it begins.
    """

    phases: Sequence[Phase] = PHASES
    entered: Callable[[Phase], None] = lambda phase: None
    phase: Phase = field(default=PHASES[0])
    _reports_sent: int = 0

    def begin(self, world: World) -> None:
        """Start the day now; the world then plays it as its time passes."""
        for destination in demo_destinations():
            world.add_destination(destination)
        for number in range(SENDERS):
            # Whoever sends mail can receive its bounces.
            world.directory.add_person(f"member{number}")
        for address in ("alice", "bob"):
            world.submit([f"{address}@{domain}" for domain in (BIG, SHOP)], size=3000)
        self._plan_day(world)
        for kind, happen in (
            ("outgoing", self._submit),
            ("incoming", self._receive),
            ("logins", self._log_in),
            ("wrong_logins", self._guess),
            ("reports", self._report),
        ):
            self._plan(world, kind, happen)

    def _plan_day(self, world: World) -> None:
        started = world.now()
        for phase in self.phases:
            world.at(started + phase.hour * HOUR / world.speed, lambda phase=phase: self._enter(world, phase))  # type: ignore[misc]
        world.at(started + DAY / world.speed, lambda: self._plan_day(world))

    def _enter(self, world: World, phase: Phase) -> None:
        self.phase = phase
        phase.change(world)
        self.entered(phase)

    def _plan(self, world: World, kind: str, happen: Callable[[World], None]) -> None:
        """Schedule an event at random times, at the rate of the phase at that time."""
        rate: float = getattr(self.phase.rates, kind)
        wait = world.rng.expovariate(max(rate, 0.01) / HOUR) / world.speed
        patience = QUARTER / world.speed

        def go_on() -> None:
            if wait <= patience:
                happen(world)
            self._plan(world, kind, happen)

        # Memoryless, so a long wait may be drawn again: another phase may have begun in the meantime.
        world.after(min(wait, patience), go_on)

    def _submit(self, world: World) -> None:
        names, shares = zip(*_ADDRESSEES, strict=True)
        count = 1 if world.rng.random() < 0.85 else world.rng.randint(2, 4)
        domains = world.rng.choices(names, shares, k=count)
        recipients = [
            f"{'bob' if domain == 'example.test' else f'user{world.rng.randrange(400)}'}@{domain}" for domain in domains
        ]
        # Many senders: none of them sends enough to be taken for a stolen account.
        sender = f"member{world.rng.randrange(SENDERS)}@{world.profile.local_domain}"
        world.submit(list(dict.fromkeys(recipients)), sender=sender, size=int(world.rng.lognormvariate(9, 1.2)) + 400)

    def _receive(self, world: World) -> None:
        spam = world.rng.random() < 0.15
        to = "bob@example.test" if world.rng.random() < 0.95 else "nobody@example.test"
        sender = "spam@elsewhere.test" if spam else "someone@partner.test"
        world.receive([to], sender=sender, size=int(world.rng.lognormvariate(9, 1)) + 600)

    def _log_in(self, world: World) -> None:
        world.log_in(world.rng.choice(("alice", "bob")), succeeds=True)

    def _guess(self, world: World) -> None:
        world.log_in("alice", succeeds=False, protocol="smtp", ip=f"203.0.113.{world.rng.randrange(1, 250)}")

    def _report(self, world: World) -> None:
        self._reports_sent += 1
        number = self._reports_sent
        begin = (int(world.now()) // DAY - 1 - number % 5) * DAY
        about: dict[str, Any] = {
            "report_id": f"r-{number}",
            "domain": "example.test",
            "begin": begin,
            "end": begin + DAY - 1,
        }
        org = world.rng.choice((BIG, CAMPUS, "other-mailbox.test"))
        match number % 3:
            case 0:
                policy = TlsPolicy(successes=world.rng.randrange(400), failed=2, failures=(("certificate-expired", 2),))
                world.receive_tls(org=org, policies=[policy], **about)
            case 1:
                world.receive_dmarc(org=org, rows=_rows(world), **about)
            case _:
                arrival = int(world.now()) - 600
                world.receive_arf(
                    reporter=org,
                    feedback_type="Abuse",
                    domain="example.test",
                    source_ip="192.0.2.1",
                    arrival=arrival,
                )


def _rows(world: World) -> list[DmarcRow]:
    good = DmarcRow(source_ip="192.0.2.1", count=world.rng.randint(20, 400))
    forged = DmarcRow(
        source_ip=f"198.51.100.{world.rng.randrange(1, 250)}",
        count=world.rng.randint(1, 30),
        disposition=world.rng.choice(("none", "quarantine", "reject")),
        dkim="fail",
        spf="fail",
    )
    return [good, forged]


def full_day(entered: Callable[[Phase], None] = lambda phase: None) -> Script:
    """Return the scripted day; *entered* is called with each phase when it begins."""
    return Script(entered=entered)
