"""What a filter selects is decided literally, whatever its text looks like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model.queue import RecipientStatus
from exporter.stalwart.operator.messages import QueuedMessage, QueuedRecipient
from exporter.stalwart.operator.selection import Selection, same_address

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)

HOSTILE = (".*", "%", "/", "~1", "~0", "a\r\nb", "\u202e", "*@*", "(", "[", "\\", "?", "u@", "@x.test", "x.test", " ")


def recipient(address: str, **changes: Any) -> QueuedRecipient:
    settings: dict[str, Any] = {
        "queue": "remote",
        "status": RecipientStatus.TEMPORARY_FAILURE,
        "reply": "451 Try again later",
        "attempts": 3,
        "next_retry_at": NOW + timedelta(minutes=5),
        "expires_at": None,
    }
    return QueuedRecipient(address=address, **{**settings, **changes})


def message(*recipients: QueuedRecipient, **changes: Any) -> QueuedMessage:
    settings: dict[str, Any] = {
        "id": "7",
        "sender": "s@a.test",
        "created_at": NOW - timedelta(hours=3),
        "size_bytes": 1,
    }
    return QueuedMessage(recipients=recipients, **{**settings, **changes})


U = recipient("u@x.test")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("condition", ["recipient", "sender", "domain", "queue", "text"])
def test_a_hostile_text_selects_nothing_else(condition: str, text: str) -> None:
    """No pattern, no part of an address, no escape is understood."""
    selected = Selection(**{condition: text}).target(message(U), NOW)

    meant = (condition == "text" and text in U.reply) or (condition, text) == ("domain", "x.test")
    assert (selected is not None) == meant


@given(address=st.text(max_size=12).map(lambda local: f"{local}@x.test"), other=st.text(max_size=12))
def test_only_the_same_address_is_selected(address: str, other: str) -> None:
    """Whatever characters it has."""
    assert same_address(address, address)
    assert same_address(address, f"{other}@x.test") == (address == f"{other}@x.test")


def test_the_domain_of_an_address_is_a_name() -> None:
    """Its case and its spelling do not matter, those of the local part do."""
    assert same_address("u@X.Test", "u@x.test")
    assert same_address("u@bücher.example", "u@xn--bcher-kva.example")
    assert not same_address("U@x.test", "u@x.test")


@pytest.mark.parametrize(
    ("conditions", "selected"),
    [
        ({}, True),
        ({"ids": frozenset({"7"})}, True),
        ({"ids": frozenset({"8"})}, False),
        ({"ids": frozenset()}, False),
        ({"sender": "s@a.test"}, True),
        ({"sender": "<>"}, False),
        ({"domain": "x.test"}, True),
        ({"older_than": timedelta(hours=3)}, True),
        ({"older_than": timedelta(hours=4)}, False),
        ({"attempts": 3}, True),
        ({"attempts": 4}, False),
        ({"status": RecipientStatus.SCHEDULED}, False),
        ({"queue": "remote"}, True),
        ({"queue": "rem"}, False),
        ({"text": "TRY AGAIN"}, True),
        ({"text": "550"}, False),
        ({"domain": "x.test", "attempts": 4}, False),
    ],
)
def test_every_condition_must_hold(conditions: dict[str, Any], selected: bool) -> None:
    """One that does not is enough."""
    assert (Selection(**conditions).target(message(U), NOW) is not None) == selected


def test_conditions_about_recipients_hold_for_the_same_one() -> None:
    """Two recipients that each fulfil one condition are not selected."""
    both = message(recipient("u@x.test", attempts=0), recipient("v@y.test", attempts=9))

    assert Selection(domain="x.test", attempts=5).target(both, NOW) is None


def test_a_message_is_changed_as_a_whole_only_if_all_that_is_pending_matches() -> None:
    """Else only the recipients that match."""
    delivered = recipient("w@z.test", status=RecipientStatus.DELIVERED)
    part = Selection(domain="x.test").target(message(U, recipient("v@y.test"), delivered), NOW)
    whole = Selection(domain="x.test").target(message(U, delivered), NOW)

    assert part is not None
    assert part.addresses == frozenset({"u@x.test"})
    assert whole is not None
    assert whole.addresses is None


def test_bounces_are_selected_by_the_empty_sender() -> None:
    """As the protocol writes it."""
    assert Selection(sender="<>").target(message(U, sender=""), NOW) is not None
    assert Selection(sender="<>").target(message(U), NOW) is None


def test_a_filter_without_conditions_is_known_as_such() -> None:
    """An empty set of ids is a condition that nothing fulfils."""
    assert Selection().is_empty
    assert not Selection(ids=frozenset()).is_empty
