"""A tenant's administrator sees nothing of other domains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.answers.queue_state import LiveState, Presence, WaitingMessage, WaitingRecipient, limited
from exporter.cli.trail.export import export
from exporter.cli.trail.listing import show_list, show_one, show_refused
from exporter.model.queue import RecipientStatus
from exporter.store.reading import History, reading
from exporter.store.trail.filter import TrailFilter
from exporter.store.trail.queries import list_messages
from exporter.store.trail.rows import MessageRow, TrailRows
from tests.support.reports import wire
from tests.support.reports.history import take_in
from tests.support.trails import BEGIN, NOW, OTHERS, OWN, asked, output, questions, trails, write_rows


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history in which another domain has reported TLS failures of the tenant's."""
    path = tmp_path_factory.mktemp("reported") / "h.sqlite3"
    policy = wire.tls_policy(domain=OWN, failures=4, details=[("certificate-expired", 4)])
    take_in(path, [("tls", wire.tls(reporter=OTHERS[0], policies=[policy]))])
    return path


@contextmanager
def history(path: Path, rows: TrailRows) -> Iterator[History]:
    """The history with these rows as its trail, open for reading."""
    write_rows(path, rows)
    with reading(path) as connection:
        yield connection


def everything(connection: History, rows: TrailRows, only_domain: str | None) -> str:
    """What every command prints about everything."""
    wanted = TrailFilter(only_domain=only_domain)
    parts = [asked(connection, what, only_domain=only_domain) for what in questions(rows)]
    for as_json in (False, True):
        parts.append(output(partial(show_list, connection, wanted, most=50, as_json=as_json, now=NOW)))
        parts.append(output(partial(show_refused, connection, wanted, most=50, as_json=as_json)))
        one = partial(show_one, connection, server=None, only_domain=only_domain, as_json=as_json, now=NOW)
        parts += [output(partial(one, str(id_))) for id_ in rows.messages]
    for fmt, refused in product(("csv", "json"), (False, True)):
        parts.append(output(partial(export, connection, wanted, refused=refused, fmt=fmt, output=None, now=NOW)))
    return "\n".join(parts)


@settings(max_examples=40)
@given(trails())
def test_no_other_domain_appears_anywhere(reported: Path, rows: TrailRows):
    """Neither an address nor a host, a reply, a message id or a reporter of another domain, whatever is asked."""
    with history(reported, rows) as connection:
        printed = everything(connection, rows, OWN)

    assert [name for name in OTHERS if name in printed] == []


def test_tls_failures_are_shown_with_their_reporter_or_without(reported: Path):
    """Who reports is another domain; that sessions to one's own domain fail is not."""
    rows = TrailRows()
    rows.messages[1] = MessageRow(queue_id=1, at=BEGIN, sender=f"cy@{OTHERS[0]}")
    rows.recipients[1, f"ann@{OWN}"] = ("local", BEGIN)
    received = datetime.now(UTC)
    with history(reported, rows) as connection:
        everything_known = asked(connection, f"ann@{OWN}", now=received)
        limited_to_own = asked(connection, f"ann@{OWN}", only_domain=OWN, now=received)

    assert re.search(rf"certificate-expired +4 .*{OTHERS[0]}", everything_known)
    assert re.search(r"certificate-expired +4 ", limited_to_own)
    assert OTHERS[0] not in limited_to_own


@settings(max_examples=5)
@given(trails())
def test_the_property_is_not_empty(reported: Path, rows: TrailRows):
    """Without the limit, every domain that a message names is printed."""
    with history(reported, rows) as connection:
        printed = everything(connection, rows, None)

    assert all(address in printed for _, address in rows.recipients)


@given(trails(), st.sampled_from(OTHERS))
def test_a_message_is_not_found_by_a_recipient_the_reader_may_not_know(reported: Path, rows: TrailRows, other: str):
    """Whom else a stranger has written to would be learned from being found."""
    with history(reported, rows) as connection:
        everybody = {address for _, address in rows.recipients if address.endswith(f"@{other}")}
        for address in everybody:
            found = list_messages(connection, TrailFilter(address=address, only_domain=OWN), most=50)
            assert [one.sender for one in found if OWN not in one.sender and one.sender != address] == []


def test_the_queue_shows_only_own_recipients():
    """What the server's queue holds of others is left out before anything is said."""
    recipient = WaitingRecipient(
        address=f"ann@{OWN}",
        queue_name="remote",
        status=RecipientStatus.SCHEDULED,
        reply="",
        attempts=0,
        limiter="",
        next_retry_at=NOW,
        expires_at=None,
    )
    other = replace(recipient, address=f"bob@{OTHERS[0]}")
    message = WaitingMessage(
        id="1", sender=f"cy@{OTHERS[0]}", created_at=NOW, size_bytes=1, recipients=(recipient, other)
    )

    seen = limited(LiveState(presence=Presence.PRESENT, message=message), OWN)

    assert seen.message is not None
    assert seen.message.recipients == [recipient]
    assert seen.message.sender == ""
