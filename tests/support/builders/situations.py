"""Situations of a fleet, and the headline that is true of each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from exporter.web.interfaces import (
    CapabilityRow,
    CollectorState,
    StoreStatus,
)
from tests.support.builders.domain_situations import DOMAINS
from tests.support.builders.situation import Situation, one
from tests.support.builders.verdicts import (
    AVAILABLE,
    CALM,
    HOUR,
    NO_STATUS,
    community,
    down,
    enterprise,
    first_minute,
    holding,
    past,
    stream,
    v016,
)
from tests.support.builders.webhook_situations import WEBHOOKS
from tests.support.listener.app import NOW, collector, status_page

CERTIFICATE = "mail.example.org"
FULL_DISK = StoreStatus(path="/h", size_bytes=0, ok=False, error="disk full")
SITUATIONS = {
    "healthy Enterprise": one(enterprise(), "good", "All is well"),
    "healthy community": one(community(), "good", "All is well"),
    "healthy v0.16, whose pause cannot be read": one(v016(), "good", "All is well"),
    "some recipients failing, as always": one(
        enterprise(queue=replace(CALM, failing=40, deferring={"busy.test": 20})), "good", "All is well"
    ),
    "many recipients failing, nowhere more than usual": one(
        enterprise(queue=replace(CALM, failing=78, deferring={"busy.test": 40, "slow.test": 38})),
        "good",
        "No single destination fails; failing recipients: 78",
    ),
    "no server configured": Situation(status_page(servers=()), "wait", "No server is configured"),
    "first minute": one(first_minute(), "wait", "Waiting for the first polls"),
    "first minute of one of two": Situation(
        status_page(enterprise(), replace(first_minute(), name="mx2")), "wait", "Waiting for the first polls"
    ),
    "paused": one(
        enterprise(queue=replace(CALM, running=False)), "bad", "mx1: deliveries are paused", "Find out who paused them"
    ),
    "paused on v0.16: nothing attempted, recipients due, mail goes on": one(
        v016(queue=replace(NO_STATUS, overdue=5), recent=past(HOUR, messages=0.1)),
        "bad",
        "mx1: nothing has been attempted for 10 min although 5 recipients are due",
        "Resume deliveries",
    ),
    "due on v0.16, but attempts go on": one(
        v016(queue=replace(NO_STATUS, overdue=5), recent=past(HOUR, messages=0.1, temporary_failure=0.01)),
        "good",
        "All is well",
    ),
    "due on v0.16, a minute after the exporter's start": one(
        v016(queue=replace(NO_STATUS, overdue=5), recent=past(60, messages=0.1)), "good", "All is well"
    ),
    "due on v0.16, where deliveries cannot be seen": one(
        v016(
            queue=replace(NO_STATUS, overdue=5),
            recent=past(HOUR, messages=0.1),
            capabilities=(CapabilityRow(name="logs", status="forbidden", words="The API key lacks sysLogGet."),),
        ),
        "good",
        "No problem seen, but deliveries are not visible",
        "mx1, logs: The API key lacks sysLogGet.",
    ),
    "stuck, just now": one(
        enterprise(queue=replace(CALM, overdue=11)),
        "wait",
        "mx1: 11 recipients are more than five minutes past their retry time",
    ),
    "stuck for a quarter of an hour": one(
        holding(enterprise(queue=replace(CALM, overdue=11)), 900),
        "bad",
        "mx1: 11 recipients are more than five minutes past their retry time although the queue is not paused",
        "Check whether there are any attempts",
    ),
    "paused, and therefore overdue": one(
        enterprise(queue=replace(CALM, running=False, overdue=400)), "bad", "mx1: deliveries are paused"
    ),
    "local mail held by an outbound limit for five minutes": one(
        holding(enterprise(queue=replace(CALM, held_local=1)), 300),
        "bad",
        "mx1: an outbound limit of the server itself holds back 1 local recipient",
        "Exclude your own domains",
    ),
    "an account sends to strangers": one(
        enterprise(unusual_senders=1),
        "bad",
        "mx1: 1 account sent more than usual; a password may be stolen",
        "Run `stalwart-exporter senders unusual`",
    ),
    "backlog": one(
        holding(enterprise(queue=replace(CALM, messages=1001)), 900), "bad", "mx1: 1001 messages wait in the queue"
    ),
    "as many as the limit is no backlog": one(enterprise(queue=replace(CALM, messages=1000)), "good", "All is well"),
    "growing": one(
        enterprise(queue=replace(CALM, messages=720), recent=past(HOUR, messages=0.2, delivered=0.1)),
        "wait",
        "mx1: the queue grows by 720 messages per hour",
    ),
    "one destination failing": one(
        enterprise(queue=replace(CALM, failing=236, deferring={"big-mailbox.test": 200, "busy.test": 36})),
        "wait",
        "mx1: big-mailbox.test defers 200 recipients",
        "Check the destination's replies",
    ),
    "old message": one(
        enterprise(queue=replace(CALM, oldest_created_at=NOW - timedelta(days=2, hours=1))),
        "wait",
        "mx1: the oldest message has waited for 2 d 1 h",
    ),
    "expired recipients": one(enterprise(queue=replace(CALM, expired=1)), "wait", "mx1: 1 recipient is past expiry"),
    "queue not readable": one(
        enterprise(
            queue=None,
            capabilities=(
                *AVAILABLE[1:],
                CapabilityRow(name="queue", status="forbidden", words="The API key lacks message-queue-list."),
            ),
        ),
        "wait",
        "mx1: the queue cannot be read (forbidden)",
        "The API key lacks message-queue-list.",
    ),
    "half of the mail bounces": one(
        holding(enterprise(recent=past(HOUR, delivered=0.02, permanent_failure=0.02)), 300),
        "bad",
        "mx1: 50% of recipients failed permanently within 30 min",
    ),
    "three bounces at night are no outage": one(
        enterprise(recent=past(HOUR, permanent_failure=0.0008)), "good", "All is well"
    ),
    "a fifth bounces for hours": one(
        holding(enterprise(recent=past(6 * HOUR, delivered=0.08, permanent_failure=0.02)), 900),
        "bad",
        "mx1: 20% of recipients failed permanently within 6 h",
    ),
    "no mail is delivered": one(
        holding(enterprise(recent=past(HOUR, temporary_failure=0.05)), 600),
        "bad",
        "mx1: no mail is delivered: 90 attempts",
    ),
    "no mail is delivered, local mail goes on": one(
        holding(enterprise(metrics_source="native", recent=past(HOUR, temporary_failure=0.05, delivered=0.05)), 600),
        "bad",
        "mx1: no mail is delivered",
    ),
    "storage fails": one(
        enterprise(recent=past(HOUR, delivered=0.1, **{"event:store.rocksdb-error": 0.01})),
        "bad",
        "mx1: storage errors: 6 store.rocksdb-error",
    ),
    "logins cannot be checked": one(
        holding(enterprise(recent=past(HOUR, delivered=0.1, **{"event:auth.error": 0.05})), 300),
        "bad",
        "mx1: 45 logins could not be verified",
    ),
    "certificate expired": one(
        enterprise(certificates={CERTIFICATE: NOW - timedelta(hours=2)}),
        "bad",
        f"mx1: the certificate for {CERTIFICATE} expired 2 h ago",
        "Check why its renewal failed",
    ),
    "certificate not renewed": one(
        enterprise(certificates={CERTIFICATE: NOW + timedelta(days=13)}),
        "wait",
        f"mx1: the certificate for {CERTIFICATE} expires in 13 d",
    ),
    "a backend fails": one(
        enterprise(recent=past(HOUR, delivered=0.1, **{"event:store.redis-error": 0.01})),
        "wait",
        "mx1: 9 store.redis-error",
    ),
    "passwords are guessed": one(
        enterprise(recent=past(HOUR, delivered=0.1, **{"event:auth.failed": 0.5})), "wait", "mx1: 450 logins failed"
    ),
    "senders are turned away for now": one(
        enterprise(recent=past(HOUR, delivered=0.1, **{"event:smtp.rate-limit-exceeded": 0.1})),
        "wait",
        "mx1: inbound limits were exceeded 360 times",
    ),
    "addresses are banned": one(
        enterprise(
            recent=past(HOUR, delivered=0.1, **{"event:security.scan-ban": 0.005, "event:security.abuse-ban": 0.005})
        ),
        "wait",
        "mx1: 36 addresses were banned",
    ),
    "task failed": one(enterprise(failed_tasks={"AcmeRenewal": 1}), "wait", "mx1: 1 AcmeRenewal task failed for good"),
    "refused key": one(
        down(refused=True),
        "bad",
        "mx1: the server refuses the exporter's credentials",
        "Fix the exporter's secret file",
    ),
    "server gone": one(down(), "bad", "mx1 is down: connection refused", "Check that its process runs"),
    "server gone with its last known queue paused": one(
        down(queue=replace(CALM, running=False), recent=past(HOUR)), "bad", "mx1 is down: connection refused"
    ),
    "six servers with one broken": Situation(
        status_page(*(enterprise(name=f"mx{n}") for n in range(1, 6)), down("mx6")), "bad", "mx6 is down"
    ),
    "the last of six paused, the first deferring": Situation(
        status_page(
            enterprise(queue=replace(CALM, deferring={"busy.test": 90})),
            *(enterprise(name=f"mx{n}") for n in range(2, 6)),
            enterprise(name="mx6", queue=replace(CALM, running=False)),
        ),
        "bad",
        "mx6: deliveries are paused",
    ),
    "stream down, licensed": one(
        enterprise(streams=(stream(connected=False),)), "wait", "mx1: the live stream metrics is disconnected"
    ),
    "stream down, not licensed": one(
        enterprise(streams=(stream(connected=False, off="not_licensed"),)), "good", "All is well"
    ),
    "collector failing": one(
        enterprise(collectors=(collector(), collector("logs", state=CollectorState.FAILING, error="timed out"))),
        "wait",
        "mx1: logs fails: timed out",
        "Run `stalwart-exporter doctor`",
    ),
    "collector stale": one(
        enterprise(collectors=(collector(last_success_at=NOW - timedelta(seconds=151)),)), "wait", "mx1: queue is stale"
    ),
    "collector late, not stale": one(
        enterprise(collectors=(collector(last_success_at=NOW - timedelta(seconds=149)),)), "good", "All is well"
    ),
    "log not readable": one(
        replace(
            community(),
            capabilities=(
                AVAILABLE[0],
                CapabilityRow(name="logs", status="forbidden", words="The API key lacks logs-view."),
            ),
        ),
        "good",
        "No problem seen, but deliveries are not visible",
        "mx1, logs: The API key lacks logs-view.",
    ),
    "log not read, because it holds our own answers": one(
        enterprise(log_problem="The server logs every HTTP response in full."),
        "wait",
        "mx1: the log cannot be read in full",
        "The server logs every HTTP response in full.",
    ),
    "log lines missed": one(
        enterprise(recent=past(HOUR, delivered=0.1, log_gaps=0.001)),
        "wait",
        "mx1: log lines may have been missed within 1 h",
    ),
    **WEBHOOKS,
    **DOMAINS,
    "clock behind": one(
        enterprise(clock_skew_seconds=-10_800.0), "wait", "mx1: its clock is 3 h behind the exporter's"
    ),
    "clock nearly right": one(enterprise(clock_skew_seconds=20.0), "good", "All is well"),
    "store broken": Situation(
        status_page(enterprise(), store=FULL_DISK),
        "wait",
        "history: disk full",
        "Free some space",
    ),
    "store broken and a server gone": Situation(status_page(down(), store=FULL_DISK), "bad", "mx1 is down"),
    "misnamed counters": one(
        v016(capabilities=(*AVAILABLE, CapabilityRow(name="event_counters", status="unsupported"))),
        "wait",
        "mx1: this release exports counters under wrong names",
        "Upgrade",
    ),
}
