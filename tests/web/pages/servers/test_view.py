"""A server as the pages show it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from exporter.store.steps.steps import Step
from exporter.store.trail.destinations import Failures
from exporter.web.interfaces import Alignment, CapabilityRow, QueueFacts, ServerStatus
from exporter.web.pages.servers.lists import alignment_rows, certificate_rows, destination_rows, share_words
from exporter.web.pages.servers.series import Series
from exporter.web.pages.servers.tiles import DAY, delivery_tile, length_words, login_tile, queue_tile, spam_tile
from exporter.web.pages.servers.view import Past, broken_first, server_view
from exporter.web.verdict.judge import find_problems
from exporter.web.verdict.thresholds import shipped
from tests.support.builders.verdicts import CALM, community, down, enterprise
from tests.support.listener.app import NOW, server_status, status_page

NOTHING = Series((), int(NOW.timestamp()), 300)


def steps(**totals: int) -> Series:
    """Two steps up to now, in which each of *totals* rose from zero."""
    end = int(NOW.timestamp()) // 300 * 300
    return Series([Step(at=end - 300, **dict.fromkeys(totals, 0)), Step(at=end, **totals)], end, 300)


def test_failing_destinations_come_with_their_reply_and_since_when():
    """Lost mail comes before waiting mail; what the trail does not know is unknown."""
    server = enterprise(queue=replace(CALM, deferring={"big.test": 200, "slow.test": 3}, rejecting={"strict.test": 1}))
    failures = {
        "big.test": Failures(
            first_at=NOW - timedelta(hours=3), last_at=NOW, is_whole=True, code="421", reason="unexpected_response"
        ),
        "strict.test": Failures(first_at=NOW, last_at=NOW, is_whole=False, code="", reason="dns_error"),
    }

    rows = destination_rows(server, {"strict.test": 40}, failures, most=6)

    assert [(row.domain, row.what, row.reply, row.since, row.is_whole, row.kind) for row in rows] == [
        ("strict.test", "40 recipients failed for good", "DNS error", NOW, False, "bad"),
        ("big.test", "200 recipients waiting", "421 refused", NOW - timedelta(hours=3), True, "wait"),
        ("slow.test", "3 recipients waiting", "", None, True, "wait"),
    ]


def test_neither_kind_of_failure_hides_the_other():
    """With many of both, each has its half."""
    queue = replace(
        CALM, deferring={f"d{n}.test": 9 for n in range(30)}, rejecting={f"r{n}.test": 9 for n in range(30)}
    )

    rows = destination_rows(enterprise(queue=queue), {}, {}, most=6)

    assert [row.kind for row in rows] == ["bad"] * 3 + ["wait"] * 3


def test_certificates_say_how_many_days_are_left():
    """The soonest comes first, in the colour of the alert that it would raise."""
    server = enterprise(
        certificates={
            "far.test": NOW + timedelta(days=80),
            "gone.test": NOW - timedelta(hours=2),
            "soon.test": NOW + timedelta(hours=30),
            "near.test": NOW + timedelta(days=11, hours=5),
        }
    )

    rows = certificate_rows(server, shipped(), NOW)

    assert [(row.name, row.left, row.kind) for row in rows] == [
        ("gone.test", "expired 2 h ago", "bad"),
        ("soon.test", "1 d 6 h left", "bad"),
        ("near.test", "11 days left", "wait"),
        ("far.test", "80 days left", "good"),
    ]


@pytest.mark.parametrize(
    ("aligned", "messages", "words"), [(5, 5, "100 %"), (99_999, 100_000, "99.9 %"), (0, 7, "0.0 %"), (2, 3, "66.7 %")]
)
def test_a_share_is_whole_only_if_nothing_is_missing(aligned: int, messages: int, words: str):
    """One message of a hundred thousand is not rounded away."""
    assert share_words(aligned, messages) == words


def test_domains_without_messages_are_left_out():
    """A domain that nobody reports about has no share."""
    server = enterprise(
        alignment=[Alignment(domain="a.test", aligned=0, failed=0), Alignment(domain="other", aligned=1, failed=0)]
    )

    assert [(row.domain, row.is_domain) for row in alignment_rows(server)] == [("all others", False)]


def test_what_is_not_known_is_not_zero():
    """Without a queue and without steps no tile shows a number."""
    server = enterprise(queue=None)

    tiles = [
        queue_tile(server, NOTHING, oldest_seconds=None),
        delivery_tile(server, NOTHING),
        spam_tile(NOTHING),
        login_tile(NOTHING),
    ]

    assert [(tile.value, str(tile.picture)) for tile in tiles] == [("unknown", "")] * 4


def test_deliveries_that_cannot_be_seen_say_why():
    """The words of the capability stand in place of a number."""
    blind = enterprise(capabilities=(CapabilityRow(name="logs", status="forbidden", words="The key lacks logs-view."),))

    tile = delivery_tile(blind, steps(delivered=5))

    assert (tile.value, tile.notes[0].words) == ("not visible", "The key lacks logs-view.")


def test_tiles_add_up_what_the_steps_have():
    """Each number is that of its time, and its parts are named."""
    past = steps(delivered=1200, temporary_failures=30, permanent_failures=4, spam=7, refused_spam=2, refused_others=5)

    delivered, spam = delivery_tile(enterprise(), past), spam_tile(past)

    assert (delivered.value, [note.words for note in delivered.notes]) == (
        "1\u202f200",
        ["1\u202f200 delivered", "30 deferred", "4 failed for good"],
    )
    assert (spam.value, [note.words for note in spam.notes]) == (
        "14",
        ["7 stored as spam", "2 refused as spam", "5 refused for other reasons"],
    )


def test_failed_logins_come_from_the_trail_where_the_server_has_no_counter():
    """A community server's log has them, too."""
    assert login_tile(steps(logins_failed=9, refused_logins=5)).value == "9"
    assert login_tile(steps(refused_logins=5)).value == "5"


def test_a_paused_queue_says_so():
    """The pause stands first, in red."""
    queue = QueueFacts(running=False, messages=9, overdue=3, failing=2, truncated=True)

    notes = queue_tile(enterprise(queue=queue), NOTHING, oldest_seconds=7200.0).notes

    assert notes[0] == ("deliveries are paused", "bad", "")
    assert [note.words for note in notes[1:]] == [
        "oldest 2 h",
        "3 recipients overdue",
        "2 recipients failing",
        "only a part of the queue was read",
    ]


def view(server: ServerStatus) -> tuple[str, str]:
    page = status_page(server)
    shown = server_view(server, page, Past(), find_problems(page, now=NOW), NOW, DAY)
    return shown.kind, shown.state


@pytest.mark.parametrize(
    ("server", "state"),
    [
        (enterprise(), ("good", "up")),
        (community(), ("good", "up")),
        (down(), ("bad", "down")),
        (server_status(up=None), ("wait", "not polled yet")),
        (enterprise(queue=replace(CALM, running=False)), ("bad", "urgent")),
        (enterprise(certificates={"a.test": NOW + timedelta(days=10)}), ("wait", "attention")),
        (enterprise(queue=replace(CALM, messages=5000)), ("wait", "watch")),
    ],
)
def test_a_server_has_the_state_of_its_worst_problem(server: ServerStatus, state: tuple[str, str]):
    """One badge: what pages, what is worth a ticket, what may become one, or nothing."""
    assert view(server) == state


def test_broken_servers_come_first():
    """The order of equals is that of the configuration."""
    servers = [
        enterprise(name="a"),
        enterprise(name="b", queue=replace(CALM, messages=5000)),
        down("c"),
        enterprise(name="d"),
    ]
    page = status_page(*servers)
    problems = find_problems(page, now=NOW)
    views = [server_view(one, page, Past(), [p for p in problems if p.where == one.name], NOW, DAY) for one in servers]

    assert [one.status.name for one in broken_first(views)] == ["c", "b", "a", "d"]


@pytest.mark.parametrize(
    ("seconds", "words"), [(86_400, "24 h"), (8 * 86_400, "8 days"), (3600, "1 h"), (720, "12 min")]
)
def test_lengths_of_time_are_round(seconds: int, words: str):
    """A day is 24 h, as people say."""
    assert length_words(seconds) == words
