"""The list of reports and what is still to be fetched of it, whatever happens in between."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from exporter.ingest.jobs.reports.inbox import FULL_WALK_SECONDS, STRIKES, Inbox
from exporter.model.report_words import ReportKind
from tests.support.reports import wire

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
            seen.update(inbox.take(3))
        return seen

    @precondition(lambda self: self.inbox.left > 0)
    @rule(times=st.sampled_from([1, 3, 50]), most=st.sampled_from([1, 2, 50]))
    def fetch(self, times: int, most: int = 1) -> None:
        for _ in range(times):
            if self.inbox.left:
                self.fetch_together(self.inbox.take(most), most)

    def fetch_together(self, ids: list[str], most: int) -> None:
        """Some of them, which come together or not at all."""
        assert 1 <= len(ids) <= most
        assert not self.seen & set(ids)
        if self.bad & set(ids):
            if len(ids) > 1:
                self.inbox.take_apart(ids)
                return
            if not self.inbox.strike(ids[0]):
                return
        self.inbox.had()
        for id_ in ids:
            self.inbox.accounted_for(id_)
        self.inbox.settle()
        self.seen.update(ids)
        self.state = self.inbox.to_state()

    @precondition(lambda self: self.inbox.left > 0)
    @rule(most=st.sampled_from([1, 2, 50]))
    def lose_the_connection(self, most: int = 1) -> None:
        self.inbox.put_off(self.inbox.take(most))

    @precondition(lambda self: self.inbox.left > 0)
    @rule(most=st.sampled_from([1, 2, 50]))
    def fail_to_write(self, most: int) -> None:
        ids = self.inbox.take(most)
        self.inbox.put_back(ids)
        assert self.inbox.take(1) == ids[:1]
        self.inbox.put_back(ids[:1])

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

    assert [inbox.take(), inbox.take(2)] == [["a"], ["b", "c"]]


def test_what_could_not_be_had_together_is_asked_for_in_growing_parts():
    """One by one at first; after each success twice as many."""
    inbox = Inbox(ReportKind.DMARC)
    ids = [f"r{number}" for number in range(20)]
    inbox.walked(ids[::-1], ids, to_the_end=True, now=wire.at("2026-11-22T00:00:00"))

    inbox.take_apart(inbox.take(10))
    parts = []
    while inbox.left:
        parts.append(inbox.take(10))
        inbox.had()

    assert [len(part) for part in parts] == [1, 2, 4, 8, 5]
    assert [id_ for part in parts for id_ in part] == ids


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

    assert order == [["b"], ["a"]]
    assert verdicts == [False] * (STRIKES - 1) + [True]
    assert not inbox.settle()


def test_a_report_that_could_not_be_had_comes_by_itself():
    """It would keep others from coming with it."""
    now = wire.at("2026-11-22T00:00:00")
    inbox = Inbox(ReportKind.DMARC)
    inbox.walked(["a"], ["a"], to_the_end=True, now=now)
    inbox.strike(*inbox.take())

    inbox.walked(["d", "c", "b", "a"], ["d", "c", "b", "a"], to_the_end=True, now=now)

    assert [inbox.take(50), inbox.take(50)] == [["b", "c", "d"], ["a"]]


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
