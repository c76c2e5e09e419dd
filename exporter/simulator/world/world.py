"""The world: one mail server, the hosts around it and its users, as a state machine without I/O."""

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
from exporter.simulator.world.mail.operations import Operations
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
from exporter.simulator.world.telemetry.webhooks import Webhooks
from exporter.simulator.world.timeline import Timeline
from exporter.simulator.world.values import Address, Keys


class World:
    """
    A mail server and its environment; without I/O, and not thread-safe. `tick` runs everything that has become due.

    Attributes:
        synthetic: A long queue that is computed on request, in front of the real one.
        http: Events of the HTTP listener.
        operations: What operators do to the queue.
        inventory: Objects of the JMAP generation only: tasks, certificates, nodes and others.
        webhooks: What is posted to others; none at first.
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
        self.limits = self._context.limits
        self.webhooks = Webhooks(lambda: self.profile, self.now, random.Random(seed))
        self.journal.listeners.append(self.webhooks.collect)
        self.http = HttpEvents(self._context, self.directory)
        self.gate = Gate(self.profile, self.directory, self.now, self.http.logged_in)
        spool = Spool(self._context, self.queue)
        self.operations = Operations(self._context, self.queue)
        self._deliverer = Deliverer(self._context, self.queue, spool, self.directory)
        self._sessions = Sessions(self._context, spool, self.directory, self.reports)
        self._speak()
        self._housekeeping = Housekeeping(self._context, self.timeline, self.directory, spool, self.queue_size)
        self._housekeeping.start()

    def _speak(self) -> None:  # Use the event names of this release.
        self.journal.written_name = self.webhooks.written_name = jmap_name if self.profile.jmap else str

    # Time

    def now(self) -> float:
        """Return the current time in Unix seconds; while an action runs, the time at which it was due."""
        return self.timeline.now()

    @property
    def speed(self) -> float:
        """The factor by which durations are shortened."""
        return self._context.speed

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Schedule an action."""
        self.timeline.at(moment, action)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Schedule an action in `seconds`, which are not divided by the speed."""
        self.timeline.after(seconds, action)

    def advance(self, seconds: float) -> None:
        """Advance by `seconds`, and run everything that becomes due, each at its time."""
        self.clock.advance(seconds)
        self.tick()

    def set_clock(self, seconds: float) -> None:
        """Set the server's clock `seconds` ahead, or back if negative; no time passes."""
        self.timeline.set_clock(seconds)

    def tick(self) -> None:
        """Run everything that is due now."""
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
        """Submit a message from an account; its first attempts are due at the next tick."""
        return self._sessions.submit(sender, recipients, size, priority=priority, env_id=env_id)

    def receive(
        self, recipients: Sequence[str], *, sender: str = "someone@partner.test", size: int = 1077, ip: str = OUTSIDE_IP
    ) -> Message | None:
        """Receive mail from outside; None if every recipient was refused."""
        return self._sessions.receive(sender, recipients, size, ip)

    def log_in(
        self, name: str, *, succeeds: bool, protocol: str = "imap", ip: str = "127.0.0.1", tries: int = 1
    ) -> None:
        """Log in over IMAP or SMTP; failures count towards a ban of the address."""
        self._sessions.log_in(name, ip, succeeds=succeeds, protocol=protocol, tries=tries)
        if not succeeds and any([self.gate.count_failure(name, ip) == "banned" for _ in range(tries)]):
            self.ban(ip)

    def set_destination(self, domain: str, temper: Temper | str, **settings: Any) -> Destination:
        """Set a domain's temper, and other settings of `Destination`."""
        known = self._context.destinations.get(domain) or Destination(domain)
        changed = replace(known, temper=Temper(temper), **settings)
        self._context.destinations[domain] = changed
        return changed

    def destination(self, domain: str) -> Destination:
        """Return a domain's mail host; one that is not known does not exist."""
        return self._context.destinations.get(domain) or Destination(domain, Temper.UNKNOWN_DOMAIN)

    def add_destination(self, destination: Destination) -> None:
        """Add or replace a domain."""
        self._context.destinations[destination.domain] = destination

    def set_schedule(self, schedule: Schedule) -> None:
        """Replace the schedule of a virtual queue, for mail queued or retried from now on."""
        self._context.schedules[schedule.queue] = schedule

    def set_mailbox(self, name: str, trouble: Reply | None) -> None:
        """Make local delivery to an account fail with a reply, or succeed again."""
        self.directory.accounts[name].trouble = trouble

    # Reports

    def receive_dmarc(self, *, org: str, to: str = "dmarc@example.test", **report: Any) -> StoredReport:
        """Receive a DMARC report; keywords as for `reports.dmarc_body`."""
        body = reports.dmarc_body(org=org, **report)
        subject = f"Report Domain: {report['domain']} Submitter: {org} Report-ID: <{report['report_id']}>"
        return self._sessions.receive_report("dmarc", f"dmarc@{org}", to, subject, body)

    def receive_tls(self, *, org: str, to: str = "tls@example.test", **report: Any) -> StoredReport:
        """Receive a TLS report; keywords as for `reports.tls_body`."""
        body = reports.tls_body(org=org, **report)
        subject = f"Report Domain: {report['domain']} Submitter: {org} Report-ID: <{report['report_id']}>"
        return self._sessions.receive_report("tls", f"tls@{org}", to, subject, body)

    def receive_arf(self, *, reporter: str, to: str = "abuse@example.test", **report: Any) -> StoredReport:
        """Receive an abuse report; keywords as for `reports.arf_body`."""
        body = reports.arf_body(reporter=reporter, **report)
        return self._sessions.receive_report("arf", f"fbl@{reporter}", to, "FW: complaint", body)

    def receive_broken_dmarc(self, sender: str = "dmarc@broken.test") -> None:
        """Receive a DMARC report that cannot be parsed."""
        self._sessions.receive_broken_report(sender, f"dmarc@{self.profile.local_domain}")

    def plant_report(self, kind: reports.Kind, report: Any, sender: str = "anyone@elsewhere.test") -> StoredReport:
        """Store a report of any shape, bypassing the parser that would reject it."""
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
        """The true numbers."""
        return self.journal.ledger

    @property
    def running(self) -> bool:
        """Whether the queue is processed."""
        return self.queue.running

    def pause_queue(self) -> bool:
        """Stop processing the queue; return whether it was running."""
        return self.operations.pause()

    def resume_queue(self) -> bool:
        """Process the queue again; return whether it was already running. Some releases wait for a queue event."""
        return self.operations.resume()

    def synthetic_queue(self, count: int) -> SyntheticQueue:
        """Add a long queue in front of the real one, without an object for each message."""
        self.synthetic = SyntheticQueue(count, self.now(), self._context.rng.getrandbits(32))
        self._housekeeping.recount()
        return self.synthetic

    def queue_size(self) -> int:
        """Return the number of messages in the queue, including synthetic ones."""
        return len(self.queue.messages) + (self.synthetic.count if self.synthetic is not None else 0)

    def restart(self) -> None:
        """Restart the process: counters, running attempts, cached logins and unposted events are lost."""
        self.webhooks.end_process()
        self.timeline.restart()
        self.journal.restart()
        self.gate.restart()
        self.queue.running, self.queue.asleep = True, False
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
        """Start a new log file."""
        self.journal.log.rotate()

    def ban(self, ip: str) -> None:
        """Ban an address permanently."""
        self.gate.banned.add(ip)
        self.inventory.block(ip, AUTH_FAILURE)
        self.journal.raise_event("security.authentication-ban", {"remoteIp": Address(ip)})

    def raise_event(self, event_id: str, keys: Keys | None = None, times: int = 1) -> None:
        """Raise any event, even one that nothing in this world causes."""
        for _ in range(times):
            self.journal.raise_event(event_id, keys)

    def set_counter(self, event_id: str, value: int) -> None:
        """Set a counter of this process to a value, near its wrap for example; the ledger is not changed."""
        self.journal.counters.counters[event_id] = value
