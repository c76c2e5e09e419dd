"""What is answered about each message of real servers, by what was done and what the client saw."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from exporter.answers.fate import Fate
from exporter.answers.message import UNREAD
from exporter.answers.queue_state import LiveState, Presence
from tests.support.replays.told import answer, kept
from tests.support.replays.trail import FOLDERS, stories

ACCEPTED = "with id "
"""The end of the reply to an accepted message, before its queue id in hexadecimal."""


class Case(NamedTuple):
    """
    A question about a recorded case.

    Attributes:
        what: What is asked for; empty for the queue id in the reply that the client got.
        says: What the answer has to mention, in any order.
        silent: What it must not mention: it belongs to another message, or is not true.
    """

    name: str
    what: str
    fate: Fate
    says: tuple[str, ...]
    silent: tuple[str, ...] = ()


CASES = (
    Case("sub-delivered", "u@ok.test", Fate.DELIVERED, ("from alice@example.test", "to u@ok.test", "mx.ok.test")),
    Case("sub-deferred-then-delivered", "g1@grey.test", Fate.DELIVERED, ("mx.grey.test accepted it",), ("queue",)),
    Case(
        "sub-partly-rejected",
        "m@reject.test",
        Fate.FAILED,
        ("3 recipients", "m@reject.test", "550", "No such user", "m@ok.test", "bob@example.test"),
    ),
    Case(
        "sub-rejected-dsn",
        "u@reject.test",
        Fate.FAILED,
        ("refused for good by mx.reject.test", "550 5.1.1", "The bounce to alice@example.test was delivered"),
    ),
    Case("sub-rejected-at-data", "big@full.test", Fate.FAILED, ("552", "too big", "too large", "bounce to alice")),
    Case("sub-deferred", "d@defer.test", Fate.QUEUED, ("still in the queue", "451", "next attempt", "gives up")),
    Case(
        "sub-refused", "r@refused.test", Fate.QUEUED, ("connection to mx.refused.test", "Connection refused", "nc -vz")
    ),
    Case("sub-nxdomain", "nobody@nowhere.test", Fate.FAILED, ("DNS has no mail server for nowhere.test", "dig MX")),
    Case("sub-expired", "u@expire.test", Fate.FAILED, ("given up", "its time in the queue was over", "451")),
    Case("sub-from-other-address", "o@ok.test", Fate.DELIVERED, ("from bob@example.test",)),
    Case(
        "local-to-local", "alice@example.test", Fate.DELIVERED, ("from bob@example.test", "the mailbox on this server")
    ),
    Case("alias", "alias.carol@example.test", Fate.DELIVERED, ("the mailbox on this server",)),
    Case("group", "sales@example.test", Fate.DELIVERED, ("the mailbox on this server",)),
    Case("list", "", Fate.FAILED, ("team@example.test", "4 recipients", "y@reject.test it was refused", "x@ok.test")),
    Case("over-quota", "dave@example.test", Fate.QUEUED, ("still in the queue", "the mailbox", "next attempt")),
    Case("vacation", "", Fate.DELIVERED, ("to bob@example.test",), ("automatic",)),
    Case("vacation", "pal@friend.test", Fate.FAILED, ("automatic message from bob@example.test", "DNS")),
    Case("in-inbox", "", Fate.DELIVERED, ("the mailbox on this server",), ("Junk",)),
    Case("in-spam", "", Fate.DELIVERED, ("the Junk folder",)),
    Case("in-spam-dnsbl", "", Fate.DELIVERED, ("the Junk folder",)),
    Case("in-spam-rejected", "bob@example.test", Fate.REFUSED, ("someone@partner.test", "spam")),
    Case("in-spam-discarded", "bob@example.test", Fate.REFUSED, ("someone@partner.test", "spam")),
    Case("in-unknown", "nobody@example.test", Fate.REFUSED, ("someone@partner.test", "the mailbox does not exist")),
    Case("in-partly-unknown", "", Fate.DELIVERED, ("to bob@example.test",), ("nobody@example.test",)),
    Case("in-partly-unknown", "nobody@example.test", Fate.REFUSED, ("does not exist",), ("bob@example.test",)),
    Case("in-relay", "someone@partner.test", Fate.REFUSED, ("may not relay",)),
    Case("in-spf", "someone@partner.test", Fate.REFUSED, ("SPF", "192.0.2.41")),
    Case("in-dmarc", "someone@partner.test", Fate.REFUSED, ("failed DMARC",)),
    Case("in-size-sent", "bob@example.test", Fate.REFUSED, ("larger than this server accepts",)),
    Case("in-greylisted", "", Fate.DELIVERED, ("to bob@example.test",), ("greylisting",)),
    Case("sub-two-in-one-session", "p@ok.test", Fate.DELIVERED, ("to p@ok.test",), ("q@reject.test", "bob@")),
    Case("sub-two-in-one-session", "q@reject.test", Fate.FAILED, ("q@reject.test it was refused",), ("p@ok.test",)),
    Case("sub-double-bounce", "u@reject.test", Fate.FAILED, ("bounce to back@reject.test could not be delivered",)),
    Case("in-null-sender", "", Fate.DELIVERED, ("bounce from another server", "bob@example.test")),
    Case("in-dnsbl", "192.0.2.43", Fate.REFUSED, ("client 192.0.2.43", "rule")),
    Case("in-iprev", "192.0.2.44", Fate.REFUSED, ("client 192.0.2.44", "reverse DNS")),
    Case("in-size-declared", "192.0.2.30", Fate.REFUSED, ("client 192.0.2.30", "larger than this server accepts")),
    Case("in-aborted", "bob@example.test", Fate.REFUSED, ("not accepted", "the client gave up")),
)
"""Subjects are those of the recording; what is said follows from what was done and from the replies to the client."""

BY_EVENTS = (
    Case("over-quota", "dave@example.test", Fate.QUEUED, ("the mailbox is over its quota", "raise its quota")),
    Case("in-dnsbl", "x@nobody.test", Fate.REFUSED, ("does not allow the sender address", "blocklists")),
    Case("login-smtp-wrong", "{account}", Fate.REFUSED, ("the login was wrong", "account alice")),
    Case("login-imap-wrong", "{account}", Fate.REFUSED, ("the login was wrong", "account alice")),
    Case("login-http-wrong", "{account}", Fate.REFUSED, ("the login was wrong", "account alice")),
    Case("login-unknown-user", "127.0.0.1", Fate.REFUSED, ("the login was wrong", "account ghost")),
)
BY_EVENTS_OF_JMAP = (
    Case("in-spam-rejected", "bob@example.test", Fate.REFUSED, ("was refused", "its spam score was too high")),
    Case("in-spam-discarded", "bob@example.test", Fate.REFUSED, ("thrown away", "told that it was accepted")),
)
SOURCES = ("log", "events")

UNSEEN = (
    # The log at level info has not the sender of these, or nothing at all.
    ("in-dnsbl", "someone@partner.test"),
    ("report-dmarc", "reports@example.test"),
    ("report-tls", "tls@example.test"),
    ("report-arf", "abuse@example.test"),
    ("login-smtp-wrong", "alice@example.test"),
)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}-{case.what or 'id'}")
def test_the_answer_is_what_happened(tmp_path: Path, folder: str, case: Case, source: str):
    """In words and as an exit status, from the log and from the events of either generation."""
    check(tmp_path / "h.sqlite3", folder, case, source)


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize("case", BY_EVENTS, ids=lambda case: case.name)
def test_events_know_more_than_a_log(tmp_path: Path, folder: str, case: Case):
    """Logins, senders that a rule refused, a full mailbox."""
    check(tmp_path / "h.sqlite3", folder, case, "events")


@pytest.mark.parametrize("case", BY_EVENTS_OF_JMAP, ids=lambda case: case.name)
def test_the_newer_generation_says_what_its_spam_filter_did(tmp_path: Path, case: Case):
    """The older one says nothing, not even in its events."""
    check(tmp_path / "h.sqlite3", "ops-0.16.18", case, "events")


def check(path: Path, folder: str, case: Case, source: str) -> None:
    """Take the case in, ask, and compare."""
    with kept(path, folder, case.name, source=source) as (connection, now):
        what = case.what.format(account={"ops-0.15.5": "alice", "ops-0.16.18": "alice@example.test"}[folder])
        found = answer(connection, what or queue_id_in_reply(folder, case.name), now)

    said = " ".join([found.happened, found.next, *found.todo])
    assert found.fate is case.fate, said
    assert [part for part in case.says if part not in said] == [], said
    assert [part for part in case.silent if part in found.happened] == []


def queue_id_in_reply(folder: str, name: str) -> str:
    """The id that the server gave the client, in hexadecimal."""
    result = str(stories(folder)[name]["result"])
    return result.rpartition(ACCEPTED)[2].partition(".")[0]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.parametrize(("name", "what"), UNSEEN)
def test_what_the_source_cannot_know_is_not_found(tmp_path: Path, folder: str, name: str, what: str):
    """With the reason, not with a guess."""
    with kept(tmp_path / "h.sqlite3", folder, "group", name) as (connection, now):
        found = answer(connection, what, now)

    assert found.fate is Fate.NOT_FOUND
    assert "read from the log" in " ".join(found.notes)
    assert "A log at level info has no failed logins" in " ".join(found.notes)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_submission_over_jmap_is_found_by_its_recipient(tmp_path: Path, folder: str):
    """Although its account and client are not known."""
    recipient = {"ops-0.15.5": "alice@example.org", "ops-0.16.18": "j@ok.test"}[folder]
    with kept(tmp_path / "h.sqlite3", folder, "sub-by-jmap") as (connection, now):
        found = answer(connection, recipient, now)

    assert found.fate is Fate.DELIVERED
    assert found.message is not None
    assert found.message.trail.message.account == ""


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_cancelled_message_is_told_from_a_waiting_one_by_the_queue(tmp_path: Path, folder: str):
    """No event says that a message was cancelled: the trail alone has it waiting."""
    id_ = str(stories(folder)["sub-cancelled"]["result"][0])
    gone = LiveState(presence=Presence.ABSENT)
    with kept(tmp_path / "h.sqlite3", folder, "sub-cancelled") as (connection, now):
        waiting = answer(connection, id_, now)
        early = answer(connection, id_, now, live=gone)
        late = answer(connection, id_, now + 2 * UNREAD, live=gone)

    assert waiting.fate is Fate.QUEUED
    assert (early.fate, late.fate) == (Fate.UNKNOWN, Fate.UNKNOWN)
    assert "although its next attempt was planned for" in early.happened
    assert "no longer in the queue, and no outcome was seen" in late.happened
    assert all("an operator cancelled it" in one.happened for one in (early, late))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_message_that_left_the_queue_just_now_is_not_called_cancelled(tmp_path: Path, folder: str):
    """The end of the attempt that was due may not have been read yet."""
    with kept(tmp_path / "h.sqlite3", folder, "sub-deferred") as (connection, now):
        due = now + timedelta(seconds=30)
        found = answer(connection, "d@defer.test", due, live=LiveState(presence=Presence.ABSENT))

    assert found.fate is Fate.UNKNOWN
    assert "ask again in a minute" in found.happened
    assert "cancelled" not in found.happened
    assert found.todo == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_greylisted_message_has_its_refusal_beside_it(tmp_path: Path, folder: str):
    """The first session has nothing in common with the second but sender and recipient."""
    with kept(tmp_path / "h.sqlite3", folder, "in-greylisted") as (connection, now):
        found = answer(connection, "bob@example.test", now)

    assert found.fate is Fate.DELIVERED
    assert [(one.fate, one.summary) for one in found.others] == [(Fate.REFUSED, "greylisted")]
