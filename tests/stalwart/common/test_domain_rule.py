"""A domain has one label, whichever source names it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from exporter.domains import UNKNOWN_DOMAIN, domain_name, domain_of
from exporter.model.delivery import DeliveryEvent
from exporter.model.queue import RecipientStatus
from exporter.stalwart.common.queue_tallies import DomainTally
from exporter.stalwart.common.report_values import domain_or_text
from tests.support.builders.outcomes import outcomes_of

AT = datetime(2026, 11, 30, 12, tzinfo=UTC)
ADDRESSES = [
    ("u@[192.0.2.1]", UNKNOWN_DOMAIN),
    ("u@[IPv6:2001:db8::1]", UNKNOWN_DOMAIN),
    ("u@192.0.2.7", UNKNOWN_DOMAIN),
    ("u@192.0.2.7.", UNKNOWN_DOMAIN),
    ("u@2001:db8::1", UNKNOWN_DOMAIN),
    ("u@a b", UNKNOWN_DOMAIN),
    ("u@ example.org", UNKNOWN_DOMAIN),
    ("u@example.org/", UNKNOWN_DOMAIN),
    ("u@", UNKNOWN_DOMAIN),
    ("u@.", UNKNOWN_DOMAIN),
    ("u@-a.example", UNKNOWN_DOMAIN),
    ("u@☃.example", UNKNOWN_DOMAIN),
    ("u@a\u200db.example", UNKNOWN_DOMAIN),
    ("u@aא.example", UNKNOWN_DOMAIN),
    ("u", UNKNOWN_DOMAIN),
    ("u@bücher.example", "xn--bcher-kva.example"),
    ("u@BÜCHER.Example.", "xn--bcher-kva.example"),
    ("u@XN--BCHER-KVA.example", "xn--bcher-kva.example"),
    ("u@straße.example", "xn--strae-oqa.example"),
    ("u@日本語。jp", "xn--wgv71a119e.jp"),
    ("u@ΜΈΛΟΣ.example", "xn--ixa2abou.example"),
    ("u@example.org.", "example.org"),
    ("u@Example.ORG", "example.org"),
    ("u@localhost", "localhost"),
]


@pytest.mark.parametrize(("address", "label"), ADDRESSES)
def test_queue_and_deliveries_have_the_same_label(address: str, label: str):
    """A name in A-labels and lower case, and ``unknown`` for everything that is no name."""
    tally = DomainTally(8)
    tally.add(RecipientStatus.SCHEDULED, [address])
    tally.settle()
    delivered = DeliveryEvent("delivery.dsn-success", AT, 7, "remote", recipient=address, code=250)

    (outcome,) = outcomes_of([delivered])

    assert tally.by_status() == {(label, RecipientStatus.SCHEDULED): 1}
    assert (outcome.domain or UNKNOWN_DOMAIN) == label
    assert (domain_of(address) or UNKNOWN_DOMAIN) == label


@pytest.mark.parametrize(("address", "label"), [row for row in ADDRESSES if row[1] != UNKNOWN_DOMAIN])
def test_a_report_about_a_domain_has_the_label_of_its_mail(address: str, label: str):
    """Reports pad their values with blanks."""
    assert domain_or_text(f"\n {address.partition('@')[2]} ") == label


def test_spellings_of_one_domain_are_counted_together():
    """Also where they stand far from each other in a long queue."""
    tally = DomainTally(64)
    spellings = ["a@bücher.example", "b@BÜCHER.example.", "c@xn--bcher-kva.example", "d@[192.0.2.1]", "e@a b"]
    for address in spellings * 3:
        tally.add(RecipientStatus.SCHEDULED, [address])
    unknown = tally.settle()

    assert tally.by_status() == {
        ("xn--bcher-kva.example", RecipientStatus.SCHEDULED): 9,
        (UNKNOWN_DOMAIN, RecipientStatus.SCHEDULED): 6,
    }
    assert unknown == 6


def test_a_name_of_thousands_of_characters_is_none():
    """What is too long for DNS is not looked at any further."""
    assert domain_name("ü" * 100_000) is None
