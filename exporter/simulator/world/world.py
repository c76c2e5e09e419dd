"""The world: one mail server, the hosts around it and the people who use it, as a state machine without I/O."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from exporter.simulator.world import reports
from exporter.simulator.world.accounts.auth import Gate
from exporter.simulator.world.accounts.directory import Directory
from exporter.simulator.world.clock import Clock, WallClock
from exporter.simulator.world.context import Context
from exporter.simulator.world.housekeeping import Housekeeping
from exporter.simulator.world.inventory import AUTH_FAILURE, Inventory
from exporter.simulator.world.mail.delivery import Deliverer
from exporter.simulator.world.mail.destinations import Destination, Temper, lab_destinations
from exporter.simulator.world.mail.failures import Reply
from exporter.simulator.world.mail.queue import Message, Queue
from exporter.simulator.world.mail.schedules import DEFAULT_SCHEDULES, Schedule
from exporter.simulator.world.mail.smtp import OUTSIDE_IP, Sessions
from exporter.simulator.world.mail.spool import Spool
from exporter.simulator.world.outgoing import OutgoingReports
from exporter.simulator.world.profile import Edition, Profile
from exporter.simulator.world.reports import ReportStore, StoredReport
from exporter.simulator.world.synthetic import SyntheticQueue
from exporter.simulator.world.telemetry.events import Journal
from exporter.simulator.world.telemetry.http_events import HttpEvents
from exporter.simulator.world.telemetry.ledger import Ledger
from exporter.simulator.world.telemetry.names import jmap_name
from exporter.simulator.world.telemetry.samples import SampleStore
from exporter.simulator.world.telemetry.snowflake import Snowflakes
from exporter.simulator.world.telemetry.traces import TraceStore
from exporter.simulator.world.timeline import Timeline
from exporter.simulator.world.values import Address, Keys


class World:
    """
    A mail server and its surroundings.

    Time comes from the clock; `tick` lets everything happen that has become due. Nothing here does I/O, and nothing
    is safe for threads.

    Attributes:
        synthetic: A long queue that is not held as objects, in front of the real one.
        http: What the server notices of HTTP.
        inventory: What only the JMAP generation shows: tasks, certificates, nodes and the like.
    """

    def __init__(
        self, profile: Profile | None = None, *, clock: Clock | None = None, seed: int = 7, speed: float = 1.0
    ) -> None:
        self.profile = profile or Profile()
        self.clock = clock or WallClock()
        self.rng = random.Random(seed)
        self.timeline = Timeline(self.clock)
        self.journal = Journal(
            self.now,
            self.profile.log_level,
            ansi=self.profile.log_ansi,
            multiline=self.profile.log_multiline,
        )
        self.traces = TraceStore()
        self.directory = Directory(self.profile.local_domain)
        self.queue = Queue(virtual=not self.profile.nested_queue)
        self.reports = ReportStore(reports.RETENTION_SECONDS / speed)
        ids = Snowflakes()
        self.outgoing = OutgoingReports(ids)
        self.inventory = Inventory(ids, self.now, self.profile.hostname)
        self.synthetic: SyntheticQueue | None = None
        self._context = Context(
            profile=self.profile,
            rng=self.rng,
            speed=speed,
            now=self.now,
            journal=self.journal,
            ids=ids,
            traces=self.traces,
            schedules=dict(DEFAULT_SCHEDULES),
            destinations=lab_destinations(),
            outgoing=self.outgoing,
        )
        self.http = HttpEvents(self._context, self.directory)
        self.gate = Gate(self.profile, self.directory, self.now, self.http.logged_in)
        spool = Spool(self._context, self.queue)
        self._deliverer = Deliverer(self._context, self.queue, spool, self.directory)
        self._sessions = Sessions(self._context, spool, self.directory, self.reports)
        self._speak()
        self._housekeeping = Housekeeping(self._context, self.timeline, self.directory, spool, self.queue_size)
        self._housekeeping.start()

    def _speak(self) -> None:
        """Let events be called as this release calls them."""
        self.journal.written_name = jmap_name if self.profile.jmap else str

    # Time

    def now(self) -> float:
        """The present instant in Unix seconds; while due things happen, the instant they were due."""
        return self.timeline.now()

    @property
    def speed(self) -> float:
        """By how much durations are shortened."""
        return self._context.speed

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Let something happen at an instant."""
        self.timeline.at(moment, action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen later; `seconds` are real ones, not divided by the speed."""
        self.timeline.after(seconds, action)

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass and everything happen that becomes due in them, each at its instant."""
        self.clock.advance(seconds)
        self.tick()

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the server's clock `seconds` ahead, or back if negative; no time passes."""
        self.timeline.set_clock(seconds)

    def tick(self) -> None:
        """Let everything happen that is due by now."""
        self.timeline.run(self.queue.next_due, self._attempt)

    def _attempt(self, moment: float) -> None:
        taken = self.queue.take_due(moment)
        if taken is not None:
            self.timeline.drive(self._deliverer.attempt(*taken))

    # Mail

    def submit(
        self,
        recipients: Sequence[str],
        *,
        sender: str = "alice@example.test",
        size: int = 216,
        priority: int = 0,
        env_id: str | None = None,
    ) -> Message:
        """An account submits a message; its first attempts are due at once, at the next tick."""
        return self._sessions.submit(sender, recipients, size, priority=priority, env_id=env_id)

    def receive(
        self, recipients: Sequence[str], *, sender: str = "someone@partner.test", size: int = 1077, ip: str = OUTSIDE_IP
    ) -> Message | None:
        """Mail arrives from outside; None when every recipient was refused."""
        return self._sessions.receive(sender, recipients, size, ip)

    def log_in(
        self, name: str, *, succeeds: bool, protocol: str = "imap", ip: str = "127.0.0.1", tries: int = 1
    ) -> None:
        """Somebody logs in over IMAP or SMTP; failures count towards a ban of the address."""
        self._sessions.log_in(name, ip, succeeds=succeeds, protocol=protocol, tries=tries)
        if not succeeds and any([self.gate.count_failure(name, ip) == "banned" for _ in range(tries)]):
            self.ban(ip)

    def cancel(self, queue_id: int, address: str = "") -> bool:
        """
        An operator removes a message without notice, or fails the recipients whose address contains `address`.

        Returns whether anything changed.
        """
        return self.queue.cancel(queue_id, address)

    def retry(self, queue_id: int, address: str = "", at: float | None = None) -> bool:
        """An operator asks for an attempt, now or `at` a time; the time limit becomes one of attempts."""
        return self.queue.retry(queue_id, address, at if at is not None else self.now())

    def set_destination(self, domain: str, temper: Temper | str, **settings: Any) -> Destination:
        """Give a domain a temper, and other settings of `Destination`."""
        known = self._context.destinations.get(domain) or Destination(domain)
        changed = replace(known, temper=Temper(temper), **settings)
        self._context.destinations[domain] = changed
        return changed

    def add_destination(self, destination: Destination) -> None:
        """Let a domain exist, or be another."""
        self._context.destinations[destination.domain] = destination

    def set_schedule(self, schedule: Schedule) -> None:
        """Replace the schedule of a virtual queue, for mail queued or retried from now on."""
        self._context.schedules[schedule.queue] = schedule

    def set_mailbox(self, name: str, trouble: Reply | None) -> None:
        """Let local delivery to an account fail with a reply, or work again."""
        self.directory.accounts[name].trouble = trouble

    # Reports

    def receive_dmarc(self, *, org: str, to: str = "dmarc@example.test", **report: Any) -> StoredReport:
        """A DMARC report arrives; keywords as for `reports.dmarc_body`."""
        body = reports.dmarc_body(org=org, **report)
        subject = f"Report Domain: {report['domain']} Submitter: {org} Report-ID: <{report['report_id']}>"
        return self._sessions.receive_report("dmarc", f"dmarc@{org}", to, subject, body)

    def receive_tls(self, *, org: str, to: str = "tls@example.test", **report: Any) -> StoredReport:
        """A TLS report arrives; keywords as for `reports.tls_body`."""
        body = reports.tls_body(org=org, **report)
        subject = f"Report Domain: {report['domain']} Submitter: {org} Report-ID: <{report['report_id']}>"
        return self._sessions.receive_report("tls", f"tls@{org}", to, subject, body)

    def receive_arf(self, *, reporter: str, to: str = "abuse@example.test", **report: Any) -> StoredReport:
        """An abuse report arrives; keywords as for `reports.arf_body`."""
        body = reports.arf_body(reporter=reporter, **report)
        return self._sessions.receive_report("arf", f"fbl@{reporter}", to, "FW: complaint", body)

    def receive_broken_dmarc(self, sender: str = "dmarc@broken.test") -> None:
        """A DMARC report arrives that cannot be read."""
        self._sessions.receive_broken_report(sender, f"dmarc@{self.profile.local_domain}")

    def plant_report(self, kind: reports.Kind, report: Any, sender: str = "anyone@elsewhere.test") -> StoredReport:
        """Put a report of any shape into the store, past the parser that would have refused it."""
        self.journal.ledger.reports[kind] += 1
        ids, now = self._context.ids, self.now()
        to = f"{kind}@{self.profile.local_domain}"
        return self.reports.add(kind, ids, now, sender=sender, to=to, subject="planted", report=report)

    # The server

    @property
    def samples(self) -> SampleStore:
        """The metrics history."""
        return self._housekeeping.samples

    @property
    def ledger(self) -> Ledger:
        """The truth about all of it."""
        return self.journal.ledger

    @property
    def running(self) -> bool:
        """Whether the queue is processed."""
        return self.queue.running

    def pause_queue(self) -> bool:
        """Stop processing the queue; returns whether it ran."""
        was_running, self.queue.running = self.queue.running, False
        return was_running

    def resume_queue(self) -> bool:
        """Process the queue again; returns whether it already ran."""
        was_running, self.queue.running = self.queue.running, True
        return was_running

    def synthetic_queue(self, count: int) -> SyntheticQueue:
        """Put a long queue in front of the real one, without an object for each message."""
        self.synthetic = SyntheticQueue(count, self.now(), self._context.rng.getrandbits(32))
        self._housekeeping.recount()
        return self.synthetic

    def queue_size(self) -> int:
        """Messages in the queue, synthetic ones included."""
        return len(self.queue.messages) + (self.synthetic.count if self.synthetic is not None else 0)

    def restart(self) -> None:
        """The process ends and starts again: counters, running attempts and cached logins are gone, the store stays."""
        self.timeline.restart()
        self.journal.restart()
        self.gate.restart()
        self.queue.running = True
        self.queue.unlock_all()
        self._housekeeping.start()

    def upgrade(self, version: str | None = None, edition: Edition | None = None, **changes: Any) -> None:
        """Restart as another release, edition or configuration."""
        wanted = {"version": version or self.profile.version, "edition": edition or self.profile.edition, **changes}
        self.profile = replace(self.profile, **wanted)
        self._context.profile = self.profile
        self.gate.profile = self.profile
        self._speak()
        self.queue.virtual = not self.profile.nested_queue
        self.restart()

    def rotate_logs(self) -> None:
        """Begin a new log file."""
        self.journal.log.rotate()

    def ban(self, ip: str) -> None:
        """Ban an address for good."""
        self.gate.banned.add(ip)
        self.inventory.block(ip, AUTH_FAILURE)
        self.journal.raise_event("security.authentication-ban", {"remoteIp": Address(ip)})

    def raise_event(self, event_id: str, keys: Keys | None = None, times: int = 1) -> None:
        """Let any event happen, also one that nothing in this world would cause."""
        for _ in range(times):
            self.journal.raise_event(event_id, keys)

    def set_counter(self, event_id: str, value: int) -> None:
        """Let a counter of this process stand at a value, near its wrap for example; the ledger does not notice."""
        self.journal.counters.counters[event_id] = value
