"""Conditions of the server itself and of what the exporter reads from it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from exporter.web.interfaces import CollectorState, CollectorStatus, ServerStatus
from exporter.web.verdict.condition import Condition
from exporter.web.verdict.deliveries import delivery_conditions
from exporter.web.verdict.domains import domain_conditions
from exporter.web.verdict.events import event_conditions
from exporter.web.verdict.queue import queue_conditions
from exporter.web.verdict.thresholds import Threshold, Thresholds
from exporter.web.verdict.webhooks import webhook_conditions
from exporter.web.words import count, duration

LOG_GAPS = "log_gaps"
"""The name in the history of the number of gaps in the log."""

LIVE = "live_"
"""Prefix of the collectors and capabilities of streams, which have conditions of their own."""


def server_conditions(server: ServerStatus, limits: Thresholds, now: datetime) -> Iterator[Condition]:
    """Yield all conditions of one server; if it is down, only that."""
    if server.up is False:
        yield from _down(server, limits)
        return
    yield from queue_conditions(server, limits, now)
    yield from delivery_conditions(server, limits)
    yield from event_conditions(server, limits)
    yield from _senders(server, limits.get("StalwartUnusualSender"))
    yield from _certificates(server, limits, now)
    yield from _tasks(server, limits)
    yield from domain_conditions(server, limits)
    yield from _unreadable(server, limits)
    yield from _log(server, limits)
    yield from _clock(server, limits.get("StalwartClockSkew"))
    yield from _collectors(server, limits.get("StalwartCollectorStale"), now)
    yield from _streams(server, limits)
    yield from webhook_conditions(server, limits, now)


def _senders(server: ServerStatus, limit: Threshold | None) -> Iterator[Condition]:
    if limit is not None and server.unusual_senders > limit["senders"]:
        yield Condition(
            alert="StalwartUnusualSender",
            what=f"{count(server.unusual_senders, 'account')} sent more than usual; a password may be stolen",
            do="Run `stalwart-exporter senders unusual` to see which.",
        )


def _down(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    successes = [c.last_success_at for c in server.collectors if c.last_success_at is not None]
    last_good_at = max(successes, default=None)
    if server.refused and limits.get("StalwartCredentialsRefused") is not None:
        yield Condition(
            alert="StalwartCredentialsRefused",
            what="the server refuses the exporter's credentials",
            do="Fix the exporter's secret file and reload; no requests are sent until then.",
            at_once=True,
            last_good_at=last_good_at,
        )
        return
    error = server.note or next((c.error for c in server.collectors if c.error), "")
    yield Condition(
        alert="StalwartServerDown",
        what=f"is down: {error}" if error else "is down",
        do="Check that its process runs and that this host can reach it.",
        at_once=True,
        last_good_at=last_good_at,
    )


def _certificates(server: ServerStatus, limits: Thresholds, now: datetime) -> Iterator[Condition]:
    for name, not_after in server.certificates.items():
        left = (not_after - now).total_seconds()
        ends = f"expires in {duration(left)}" if left > 0 else f"expired {duration(-left)} ago"
        for alert in ("StalwartCertificateAboutToExpire", "StalwartCertificateExpiring"):
            limit = limits.get(alert)
            if limit is not None and left < limit["left"]:
                yield Condition(
                    alert=alert,
                    about=name,
                    what=f"the certificate for {name} {ends}",
                    do="Check why its renewal failed.",
                    at_once=True,
                )
                break


def _tasks(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    limit = limits.get("StalwartTasksFailed")
    for kind, failed in server.failed_tasks.items():
        if limit is not None and failed > limit["tasks"]:
            yield Condition(
                alert="StalwartTasksFailed",
                about=kind,
                what=f"{count(failed, f'{kind} task')} failed for good",
                do="Check the failure reason; the server does not retry by itself.",
            )


def _unreadable(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    status = {c.name: c for c in server.capabilities}
    queue, counters = status.get("queue"), status.get("event_counters")
    if queue is not None and queue.status != "available" and limits.get("StalwartQueueNotReadable"):
        yield Condition(
            alert="StalwartQueueNotReadable",
            what=f"the queue cannot be read ({queue.status.replace('_', ' ')})",
            do=queue.words or "Check which permission the exporter's key lacks.",
        )
    if counters is not None and counters.status == "unsupported" and limits.get("StalwartCountersUnreliable"):
        yield Condition(
            alert="StalwartCountersUnreliable",
            what="this release exports counters under wrong names",
            do="Upgrade the server to v0.16.12 or newer.",
        )


def _log(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    if server.log_problem and limits.get("StalwartLogNotReadable"):
        yield Condition(
            alert="StalwartLogNotReadable",
            what="the log cannot be read in full",
            do=server.log_problem,
        )
    limit, recent = limits.get("StalwartLogGaps"), server.recent
    if limit is not None and recent is not None and recent.increase(LOG_GAPS, limit["window"]) > limit["gaps"]:
        yield Condition(
            alert="StalwartLogGaps",
            what=f"log lines may have been missed within {duration(limit['window'])}",
            do="Check whether the log was emptied, or grows faster than it can be read.",
        )


def _clock(server: ServerStatus, limit: Threshold | None) -> Iterator[Condition]:
    skew = server.clock_skew_seconds
    if limit is not None and skew is not None and abs(skew) > limit["skew"]:
        yield Condition(
            alert="StalwartClockSkew",
            what=f"its clock is {duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the exporter's",
            do="Find which clock is wrong and fix its time synchronization.",
        )


def _collectors(server: ServerStatus, limit: Threshold | None, now: datetime) -> Iterator[Condition]:
    for collector in server.collectors:
        if limit is None or collector.name.startswith(LIVE):
            continue
        failing = collector.state is CollectorState.FAILING
        if failing or (collector.state is CollectorState.OK and _is_stale(collector, limit, now)):
            error = f": {collector.error}" if collector.error else ""
            yield Condition(
                alert="StalwartCollectorStale",
                about=collector.name,
                what=f"{collector.name} {'fails' if failing else 'is stale'}{error}",
                do="Run `stalwart-exporter doctor`.",
                last_good_at=collector.last_success_at,
            )


def _is_stale(collector: CollectorStatus, limit: Threshold, now: datetime) -> bool:
    if collector.last_success_at is None:
        return False
    age = (now - collector.last_success_at).total_seconds()
    return age > limit["intervals"] * collector.interval_seconds + limit["grace"]


def _streams(server: ServerStatus, limits: Thresholds) -> Iterator[Condition]:
    if limits.get("StalwartStreamDown") is None:
        return
    waiting = {c.name for c in server.collectors if c.state is CollectorState.WAITING}
    for stream in server.streams:
        if not stream.connected and not stream.off and f"{LIVE}{stream.name}" not in waiting:
            yield Condition(
                alert="StalwartStreamDown",
                about=stream.name,
                what=f"the live stream {stream.name} is disconnected",
                do="Check whether a proxy closes event streams; slower sources are used meanwhile.",
                last_good_at=stream.last_event_at,
            )
