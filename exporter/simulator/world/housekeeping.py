"""Periodic work of the server process: recounts, metric samples, and due reports."""

from __future__ import annotations

from collections.abc import Callable

from exporter.simulator.world.accounts.directory import Directory
from exporter.simulator.world.context import Context
from exporter.simulator.world.mail.spool import Spool
from exporter.simulator.world.outgoing import DAY_SECONDS
from exporter.simulator.world.telemetry.samples import SampleStore
from exporter.simulator.world.timeline import Timeline
from exporter.simulator.world.values import Keys, Timestamp

RECOUNT_SECONDS = 300.0
REPORT_SIZE = 1600


class Housekeeping:
    """
    The periodic work of one server.

    Attributes:
        samples: The metrics history.
    """

    def __init__(
        self, context: Context, timeline: Timeline, directory: Directory, spool: Spool, queue_size: Callable[[], int]
    ) -> None:
        self._context = context
        self._timeline = timeline
        self._directory = directory
        self._spool = spool
        self._queue_size = queue_size
        self.samples = SampleStore(context.ids)

    def start(self) -> None:
        """Start, as with a new process."""
        profile = self._context.profile
        self._context.journal.raise_event("server.startup", {"version": profile.version})
        self.samples.restart()
        self._repeat(lambda now: now + RECOUNT_SECONDS / self._context.speed, self.recount)
        self._repeat(lambda now: (now // DAY_SECONDS + 1) * DAY_SECONDS, self._send_reports)
        if profile.jmap:
            self._repeat(lambda now: now + RECOUNT_SECONDS / self._context.speed, self._send_reports)
        self.recount()
        if profile.keeps_metrics:
            interval = profile.metrics_interval_seconds
            self._repeat(lambda now: (now // interval + 1) * interval, self._sample)

    def _repeat(self, next_time: Callable[[float], float], action: Callable[[], None]) -> None:
        def go_on() -> None:
            action()
            self._repeat(next_time, action)

        self._timeline.at(next_time(self._context.now()), go_on, outlives_restart=False)

    def recount(self) -> None:
        """Update the gauges; without a licence the queue is not counted, and principals only from v0.16 on."""
        context = self._context
        gauges = context.journal.counters.gauges
        gauges["server.memory"] = 70_000_000 + context.rng.randrange(8_000_000) + 300 * self._queue_size()
        if context.profile.enterprise:
            gauges["queue.count"] = self._queue_size()
        if context.profile.enterprise or context.profile.jmap:
            kinds = [account.kind for account in self._directory.accounts.values() if account.stored]
            # From v0.16 on, API keys are not principals but belong to one.
            owners = 1 if context.profile.jmap and "apiKey" in kinds else 0
            gauges["user.count"], gauges["domain.count"] = kinds.count("individual") + owners, kinds.count("domain")

    def _sample(self) -> None:
        context = self._context
        self.samples.collect(context.now(), context.journal.counters, cumulative=context.profile.jmap)

    def _send_reports(self) -> None:
        context = self._context
        for report in context.outgoing.take_due(context.now()):
            event_id = "dmarc-aggregate-report" if report.kind == "dmarc" else "tls-aggregate"
            keys: Keys = {
                "reportId": report.begin,
                "domain": report.domain,
                "rangeFrom": Timestamp(report.begin),
                "rangeTo": Timestamp(report.due),
            }
            context.journal.raise_event(f"outgoing-report.{event_id}", keys)
            sender = f"noreply-{report.kind}@{context.profile.local_domain}"
            self._spool.add("report", sender, [report.rua], REPORT_SIZE)
