"""The verdict: the headline of each situation is true, and its limits are those of the alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from alerts.thresholds import as_numbers, load
from exporter.web.interfaces import (
    CapabilityStatus,
    CollectorState,
    CollectorStatus,
    QueueFacts,
    Recent,
    ServerStatus,
    StatusPage,
    StoreStatus,
    StreamStatus,
)
from exporter.web.verdict.events import RULES
from exporter.web.verdict.history import CONDITIONS, EVENT, EVENT_SAMPLES, SAMPLES, STEP_SECONDS, History
from exporter.web.verdict.judge import Verdict, judge
from exporter.web.verdict.thresholds import parse_thresholds, shipped
from tests.support.alerts import promtool
from tests.support.web import NOW, collector, server_status, status_page

HOUR = 3600.0
CALM = QueueFacts(running=True, messages=3, failing=1)
NO_STATUS = replace(CALM, running=None)
AVAILABLE = tuple(CapabilityStatus(name=name, status="available") for name in ("queue", "logs"))
NOT_LICENSED = tuple(CapabilityStatus(name=name, status="not_licensed") for name in ("live_metrics", "traces"))


def off(name: str) -> CollectorStatus:
    return collector(name, state=CollectorState.OFF, last_success_at=None, error="not licensed")


def stream(*, connected: bool, off: str = "") -> StreamStatus:
    return StreamStatus(name="metrics", connected=connected, transport="", last_event_at=None, off=off)


class Past:
    """
    A history that was recorded at the real steps, up to now.

    Attributes:
        at: Now, in monotonic seconds.
    """

    def __init__(self) -> None:
        self.at = 0.0
        self.history = History(monotonic=lambda: self.at)

    def play(self, seconds: float, numbers: Callable[[float], Mapping[str, float]]) -> History:
        """The history after *seconds* in which the numbers were *numbers* of the time."""
        while self.at <= seconds:
            self.history.record(numbers(self.at))
            self.at += STEP_SECONDS
        self.at = seconds
        return self.history


def past(seconds: float, **per_second: float) -> History:
    """A history of *seconds* in which each number rose steadily from zero."""
    started = dict.fromkeys(("delivered", "permanent_failure", "temporary_failure", "messages"), 0.0)
    return Past().play(seconds, lambda at: started | {name: rate * at for name, rate in per_second.items()})


@dataclass
class Held:
    """A history in which every condition has held for as long."""

    history: Recent
    seconds: float

    def __getattr__(self, name: str) -> Callable[..., object]:
        return getattr(self.history, name)

    def held_seconds(self, condition: str) -> float:
        return self.seconds


def holding(server: ServerStatus, seconds: float) -> ServerStatus:
    """*server*, whose present conditions have held for *seconds*."""
    return replace(server, recent=Held(server.recent, seconds))


def enterprise(**changes: object) -> ServerStatus:
    facts: dict[str, object] = {"queue": CALM, "capabilities": AVAILABLE, "recent": past(HOUR, delivered=0.1)}
    return server_status(**{**facts, **changes})


def community(**changes: object) -> ServerStatus:
    return enterprise(
        edition="community",
        capabilities=(*AVAILABLE, *NOT_LICENSED),
        collectors=(collector(), off("traces"), off("live_metrics")),
        streams=(stream(connected=False, off="not_licensed"),),
        **changes,
    )


def v016(**changes: object) -> ServerStatus:
    return enterprise(**{"generation": "jmap", "version": "0.16.18", "queue": NO_STATUS, **changes})


def down(name: str = "mx1", **changes: object) -> ServerStatus:
    failing = collector(state=CollectorState.FAILING, error="connection refused")
    return server_status(
        **{"name": name, "up": False, "note": "connection refused", "collectors": (failing,), **changes}
    )


def first_minute() -> ServerStatus:
    waiting = collector(state=CollectorState.WAITING, last_success_at=None)
    live = collector("live_metrics", state=CollectorState.WAITING, last_success_at=None)
    return server_status(up=None, collectors=(waiting, live), capabilities=(), streams=(stream(connected=False),))


@dataclass(frozen=True)
class Situation:
    """
    What is the case, and what the first line must say of it.

    Attributes:
        says: The headline's beginning.
        do: The beginning of the next step.
    """

    page: StatusPage
    kind: str
    says: str
    do: str = ""


def one(server: ServerStatus, kind: str, says: str, do: str = "") -> Situation:
    return Situation(status_page(server), kind, says, do)


CERTIFICATE = "mail.example.org"
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
        "No single destination fails; 78 recipients are failing",
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
            capabilities=(CapabilityStatus(name="logs", status="forbidden", words="The API key lacks sysLogGet."),),
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
                CapabilityStatus(name="queue", status="forbidden", words="The API key lacks message-queue-list."),
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
                CapabilityStatus(name="logs", status="forbidden", words="The API key lacks logs-view."),
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
    "clock behind": one(enterprise(clock_skew_seconds=-10_800.0), "wait", "mx1: its clock is 3 h behind ours"),
    "clock nearly right": one(enterprise(clock_skew_seconds=20.0), "good", "All is well"),
    "store broken": Situation(
        status_page(enterprise(), store=StoreStatus(path="/h", size_bytes=0, ok=False, error="disk full")),
        "wait",
        "history: disk full",
        "Free some space",
    ),
    "store broken and a server gone": Situation(
        status_page(down(), store=StoreStatus(path="/h", size_bytes=0, ok=False, error="disk full")),
        "bad",
        "mx1 is down",
    ),
    "misnamed counters": one(
        v016(capabilities=(*AVAILABLE, CapabilityStatus(name="event_counters", status="unsupported"))),
        "wait",
        "mx1: this release exports counters under wrong names",
        "Upgrade",
    ),
}


def verdict(page: StatusPage) -> Verdict:
    return judge(page, now=NOW)


@pytest.mark.parametrize("name", SITUATIONS)
def test_the_headline_is_true(name: str):
    """The first line says in words what is wrong and what to do next, and its colour is that of the worst."""
    situation = SITUATIONS[name]

    found = verdict(situation.page)

    assert (found.kind, found.title[: len(situation.says)]) == (situation.kind, situation.says)
    assert found.next_step.startswith(situation.do)
    if found.kind == "good":
        assert not found.problems
    if found.kind == "bad":
        assert found.next_step


def test_every_alert_that_pages_is_judged():
    """Nobody is woken by what the page calls well; the exporter's own absence is all that it cannot show."""
    told = {problem.alert for situation in SITUATIONS.values() for problem in verdict(situation.page).problems}
    paging = {name for name, limit in shipped().alerts.items() if limit.severity == "page"}

    assert paging - told == {"StalwartExporterDown", "StalwartDeliverySloFastBurn"}


def test_what_is_left_to_prometheus_is_known():
    """Of all alerts these are not judged: about reports, about the exporter itself, and one of three days."""
    told = {problem.alert for situation in SITUATIONS.values() for problem in verdict(situation.page).problems}

    assert set(shipped().alerts) - told == {
        *("StalwartArfComplaints", "StalwartDmarcFailureSpike", "StalwartDmarcReporterSilent"),
        *("StalwartTlsReportFailures", "StalwartDeliverySloFastBurn", "StalwartDeliverySloSlowBurn"),
        *("StalwartExporterDown", "StalwartExporterHistoryLost", "StalwartExporterReloadFailed", "Watchdog"),
    }


def test_a_fast_burn_is_judged():
    """An objective above 0.97 makes the fast burn fire before the ratio does."""
    numbers = as_numbers(load())
    numbers["slo"]["objective"] = 0.99
    server = enterprise(recent=past(HOUR, delivered=0.08, permanent_failure=0.02))

    found = verdict(status_page(server, limits=parse_thresholds(numbers)))

    assert [problem.alert for problem in found.problems] == ["StalwartDeliverySloFastBurn"]


def test_the_page_and_the_rules_have_the_same_thresholds():
    """What the package brings along is what the rules are made from."""
    assert shipped() == parse_thresholds(as_numbers(load()))


def test_events_are_those_of_the_rules():
    """Each regular expression stands in its alert's expression."""
    rules = promtool.shipped_rules()

    for rule in RULES:
        assert f'"{rule.events}"' in rules[rule.alert]["expr"], rule.alert


def test_an_alert_that_is_not_enabled_is_no_problem():
    """What an operator has switched off is not on the page; a server that is down always is."""
    limits = replace(shipped(), alerts={})
    wrong = enterprise(queue=replace(CALM, running=False, messages=10**6), certificates={CERTIFICATE: NOW})

    assert verdict(status_page(wrong, limits=limits)).problems == []
    assert verdict(status_page(down(), limits=limits)).kind == "bad"


def test_a_condition_turns_red_when_its_alert_is_due():
    """Before the alert's delay has passed a measurement is listed with what is missing; afterwards it is red."""
    backlog = enterprise(queue=replace(CALM, messages=5000))

    early, due = (verdict(status_page(holding(backlog, seconds))).problems[0] for seconds in (120, 900))

    assert (early.kind, early.due, early.held) == ("wait", False, "for 2 min; alert after 15 min")
    assert (due.kind, due.due, due.held) == ("bad", True, "for 15 min")


def test_what_is_wrong_with_a_server_that_does_not_answer_is_that_alone():
    """Its last known queue is no news."""
    server = down(queue=replace(CALM, messages=10**6), certificates={CERTIFICATE: NOW}, recent=past(HOUR))

    assert [problem.alert for problem in verdict(status_page(server)).problems] == ["StalwartServerDown"]


def test_the_summary_counts_over_all_servers():
    """One line says how many are up, how much waits and how many things are wrong."""
    page = status_page(enterprise(), down("mx2"), enterprise(name="mx3", queue=replace(CALM, running=False)))

    assert verdict(page).summary == "2 of 3 servers up, 6 messages queued, 2 recipients failing, 2 problems"


def test_the_history_is_bounded():
    """A year of samples and a flood of conditions leave what six hours and a page hold."""
    days = Past()

    history = days.play(10 * SAMPLES * STEP_SECONDS, lambda at: {"messages": at, f"event:{at % 7:.0f}": at})
    history.hold(f"StalwartDestinationDeferring {n}.test" for n in range(10 * CONDITIONS))

    assert len(history._times) == len(history._columns["messages"]) == SAMPLES
    assert {len(column) for name, column in history._columns.items() if name.startswith(EVENT)} <= {EVENT_SAMPLES}
    assert len(history._since) == CONDITIONS
    assert history.increase("messages", HOUR) == HOUR


def test_a_number_that_is_gone_is_forgotten():
    """Once its last sample has left the window nothing of it is kept."""
    clock = Past()

    clock.play(10 * HOUR, lambda at: {"messages": 1.0} if at < HOUR else {"delivered": 1.0})

    assert list(clock.history.names()) == ["delivered"]


def test_a_counter_that_fell_counts_from_there():
    """The lost history of a server is no burst of deliveries, and none are taken back."""
    history = Past().play(HOUR, lambda at: {"delivered": at if at < HOUR / 2 else at - HOUR / 2})

    assert history.increase("delivered", HOUR) == HOUR - STEP_SECONDS


def test_a_counter_that_is_seen_for_the_first_time_has_not_risen():
    """Totals adopted at the first contact are no news."""
    history = Past().play(HOUR, lambda at: {"event:auth.failed": 10_000.0} if at >= HOUR / 2 else {})

    assert history.increase("event:auth.failed", HOUR) == 0
    assert history.covered_seconds("event:auth.failed") == HOUR / 2


def test_a_condition_that_stops_begins_anew():
    """What holds again after a break holds since then."""
    clock = Past()
    clock.history.hold(["a", "b"])
    clock.at = 60
    clock.history.hold(["a"])
    clock.at = 90
    clock.history.hold(["a", "b"])

    assert (clock.history.held_seconds("a"), clock.history.held_seconds("b")) == (90, 0)
