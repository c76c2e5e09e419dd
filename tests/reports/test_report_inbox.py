"""The list of reports and what is still to be fetched of it, whatever happens in between."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.ingest.report_inbox import FULL_WALK_SECONDS, STRIKES, Inbox
from exporter.model.report_words import ReportKind
from tests.reports import wire

PAGE = 2


class InboxMachine(RuleBasedStateMachine):
    """
    A server that lists reports and a collector that lives, dies, skips and comes back.

    What is on disk: the ids accounted for, and the inbox's state as of the last one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now: datetime = wire.at("2026-11-22T00:00:00")
        self.listed: list[str] = []
        self.made = 0
        self.seen: set[str] = set()
        self.state: object = None
        self.bad: set[str] = set()
        self.inbox = Inbox(ReportKind.DMARC)

    @rule(count=st.integers(1, 8), bad=st.booleans())
    def receive(self, count: int, bad: bool) -> None:
        for _ in range(count):
            self.made += 1
            self.listed.insert(0, f"r{self.made}")
        if bad:
            self.bad.add(f"r{self.made}")

    @rule()
    def heal(self) -> None:
        self.bad.clear()

    @precondition(lambda self: self.inbox.left == 0)
    @rule()
    def walk(self) -> None:
        self.walk_of(self.inbox, self.now, self.seen)
        if self.inbox.settle():
            self.state = self.inbox.to_state()

    def walk_of(self, inbox: Inbox, now: datetime, seen: set[str]) -> None:
        """Reads the list page by page, as far as the inbox wants."""
        whole = inbox.must_walk_to_the_end(now)
        listed: list[str] = []
        unknown: list[str] = []
        to_the_end = False
        for start in range(0, len(self.listed) + PAGE, PAGE):
            page = self.listed[start : start + PAGE]
            listed += page
            new = [id_ for id_ in page if id_ not in seen]
            unknown += new
            to_the_end = len(page) < PAGE
            if to_the_end or not (new or whole):
                break
        inbox.walked(unknown, listed, to_the_end=to_the_end, now=now)

    def taken_in_by_the_next_life(self, now: datetime) -> set[str]:
        """What is accounted for after a restart, one walk, and a server that gives everything."""
        inbox, seen = Inbox(ReportKind.DMARC, self.state), set(self.seen)
        self.walk_of(inbox, now, seen)
        while inbox.left:
            seen.add(inbox.take())
        return seen

    @precondition(lambda self: self.inbox.left > 0)
    @rule(times=st.sampled_from([1, 3, 50]))
    def fetch(self, times: int) -> None:
        for _ in range(min(times, self.inbox.left)):
            id_ = self.inbox.take()
            assert id_ not in self.seen
            if id_ in self.bad and not self.inbox.strike(id_):
                continue
            self.inbox.accounted_for(id_)
            self.inbox.settle()
            self.seen.add(id_)
            self.state = self.inbox.to_state()

    @precondition(lambda self: self.inbox.left > 0)
    @rule()
    def lose_the_connection(self) -> None:
        self.inbox.put_off(self.inbox.take())

    @precondition(lambda self: self.inbox.left > 0)
    @rule()
    def fail_to_write(self) -> None:
        self.inbox.put_back(self.inbox.take())

    @rule()
    def die(self) -> None:
        self.inbox = Inbox(ReportKind.DMARC, self.state)

    @rule()
    def pass_an_hour(self) -> None:
        self.now += timedelta(seconds=FULL_WALK_SECONDS)

    @invariant()
    def the_next_life_misses_nothing(self) -> None:
        assert set(self.listed) <= self.taken_in_by_the_next_life(self.now)


class DisorderlyMachine(InboxMachine):
    """The same with a server whose retention was shortened: what is new is listed among the old."""

    @rule(at=st.integers(0, 20))
    def receive_out_of_order(self, at: int) -> None:
        self.made += 1
        self.listed.insert(min(at, len(self.listed)), f"r{self.made}")

    @invariant()
    def the_next_life_misses_nothing(self) -> None:
        later = self.now + timedelta(seconds=FULL_WALK_SECONDS)
        assert set(self.listed) <= self.taken_in_by_the_next_life(later)


InboxMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=30, deadline=None)
DisorderlyMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestInbox = InboxMachine.TestCase
TestDisorderlyInbox = DisorderlyMachine.TestCase


def test_the_oldest_report_comes_first():
    """The server lists the newest first."""
    inbox = Inbox(ReportKind.DMARC)

    inbox.walked(["c", "b", "a"], ["c", "b", "a"], to_the_end=True, now=wire.at("2026-11-22T00:00:00"))

    assert [inbox.take() for _ in range(3)] == ["a", "b", "c"]


def test_a_walk_stops_early_only_where_everything_older_is_known():
    """After a backfill that ended, and for an hour."""
    now = wire.at("2026-11-22T00:00:00")
    inbox = Inbox(ReportKind.DMARC)
    before = inbox.must_walk_to_the_end(now)

    inbox.walked(["a"], ["a"], to_the_end=True, now=now)
    inbox.take()
    settled = inbox.settle()
    again = Inbox(ReportKind.DMARC, inbox.to_state())

    assert (before, settled) == (True, True)
    assert not again.must_walk_to_the_end(now + timedelta(seconds=FULL_WALK_SECONDS - 1))
    assert again.must_walk_to_the_end(now + timedelta(seconds=FULL_WALK_SECONDS))


def test_a_report_that_cannot_be_had_waits_behind_the_others_and_is_given_up_in_the_end():
    """It keeps the walk from stopping early until then."""
    now = wire.at("2026-11-22T00:00:00")
    inbox = Inbox(ReportKind.DMARC)
    verdicts = []
    for _ in range(STRIKES):
        inbox.walked(["b", "a"], ["b", "a"], to_the_end=True, now=now)
        order = [inbox.take(), inbox.take()]
        verdicts.append(inbox.strike("a"))

    assert order == ["b", "a"]
    assert verdicts == [False] * (STRIKES - 1) + [True]
    assert not inbox.settle()


def test_a_hole_among_known_reports_is_found_after_a_restart():
    """A report that could not be had, with newer ones accounted for since, is not forgotten."""
    life = InboxMachine()
    life.receive(count=1, bad=True)
    life.receive(count=5, bad=False)
    life.walk()
    life.fetch(times=50)
    hole = set(life.listed) - life.seen

    life.heal()
    life.die()
    life.walk()
    life.fetch(times=50)

    assert hole == {"r1"}
    assert set(life.listed) == life.seen


def test_a_report_behind_a_lost_connection_is_found_after_a_restart():
    """The one that was under way stays the oldest unknown, though newer ones came first."""
    life = InboxMachine()
    life.receive(count=1, bad=False)
    life.walk()
    life.fetch(times=1)
    life.receive(count=6, bad=False)
    life.walk()
    life.lose_the_connection()
    life.fetch(times=3)

    life.die()
    life.walk()
    life.fetch(times=50)

    assert set(life.listed) == life.seen
