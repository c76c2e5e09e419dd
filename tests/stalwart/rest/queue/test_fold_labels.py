"""Which names of a queue become labels."""

from __future__ import annotations

import pytest

from exporter.model.queue import OTHER_DOMAIN, RecipientStatus
from exporter.stalwart.rest.queue.fold import QueueFold
from tests.support.builders.queue_reference import page_of
from tests.support.builders.rest_queue import TAKEN_AT, folded, message, recipient


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "john.doe",
        "trailing@",
        "a@bad\x00domain",
        "a@line\nbreak",
        "a@" + "x" * 254,
        "a@\u202egro.elpmaxe",
    ],
)
def test_hostile_domain_becomes_no_label(address: str) -> None:
    """It counts as unknown, beside good ones."""
    snapshot = folded(message(recipient(address), recipient("b@Example.COM"), recipient('"odd@local"@example.com')))

    assert snapshot.domains == {
        ("unknown", RecipientStatus.SCHEDULED): 1,
        ("example.com", RecipientStatus.SCHEDULED): 2,
    }
    assert snapshot.unknown == {"recipient_domain": 1}


@pytest.mark.parametrize("name", ["", "ninebytes", "häßlich", "a\nb", "\x00"])
def test_hostile_queue_name_becomes_no_label(name: str) -> None:
    """Names are one to eight bytes that can be printed; others count as unknown."""
    snapshot = folded(message(recipient(queue=name), recipient(queue="local")))

    good = len(name.encode()) in range(1, 9) and name.isprintable()
    assert snapshot.recipients[("local", RecipientStatus.SCHEDULED)] == 1
    assert snapshot.recipients[(name if good else "unknown", RecipientStatus.SCHEDULED)] == 1
    assert snapshot.unknown == ({} if good else {"queue": 1})


def test_number_of_queues_is_bounded() -> None:
    """A server that invents a queue for each message does not fill our memory; nobody is lost."""
    many = [message(recipient(queue=f"q{number}"), number=number) for number in range(500)]

    snapshot = folded(*many, max_queues=10)

    assert len(snapshot.recipients) <= 11
    assert sum(snapshot.recipients.values()) == 500


def test_number_of_domains_is_bounded_and_keeps_the_largest() -> None:
    """What does not fit is summed; the sum over all is right and a large domain keeps its name."""
    fold = QueueFold(TAKEN_AT, max_domains=100)
    for page in range(20):
        rows = [recipient(f"u@d{page}-{number}.example") for number in range(50)]
        fold.feed(page_of([message(*rows, *(recipient(f"u{n}@large.example") for n in range(30)), number=page)]))

    domains = fold.finish(truncated=False).domains

    assert len(domains) <= 150
    assert sum(domains.values()) == 20 * 80
    assert domains[("large.example", RecipientStatus.SCHEDULED)] == 600
    assert domains[(OTHER_DOMAIN, RecipientStatus.SCHEDULED)] > 0
