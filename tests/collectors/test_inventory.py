"""The inventory's samples: which certificate is shown, under which name, and what is absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors import families as f
from exporter.collectors.accounts import AccountsSource
from exporter.collectors.exposition import Samples
from exporter.collectors.inventory import InventorySource, in_use, soonest
from exporter.model.inventory import AccountKind, Certificate, Inventory, NodeStatus, TaskState
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import TallyBook

TODAY = datetime(2026, 11, 1, tzinfo=UTC)
FULL = Inventory(
    accounts={AccountKind.USER: 7, AccountKind.GROUP: 2},
    domains=3,
    certificates=[Certificate(names=["mx.example.org"], not_after=TODAY)],
    tasks={("AcmeRenewal", TaskState.FAILED): 1, ("AcmeRenewal", TaskState.PENDING): 0},
    blocked={"manual": 0, "portScanning": 4},
    nodes={NodeStatus.ACTIVE: 2, NodeStatus.STALE: 0},
)


def certificate(days: float, *names: str) -> Certificate:
    """One that ends so many days from today."""
    return Certificate(names=sorted(names), not_after=TODAY + timedelta(days=days))


def left(certificates: Sequence[Certificate]) -> dict[str, float]:
    """What is shown, as days from today."""
    return {name: (at - TODAY) / timedelta(days=1) for name, at in in_use(certificates).items()}


def board_with(inventory: Inventory | None, gauges: Mapping[str, int] | None = None) -> ServerBoard:
    """A server of which so much is known."""
    board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)
    if inventory is not None:
        board.publish(Part.INVENTORY, inventory, fresh_seconds=900)
    if gauges is not None:
        board.publish(Part.GAUGES, gauges, fresh_seconds=180)
    return board


def shown(board: ServerBoard, *, max_domains: int = 25) -> dict[str, Samples]:
    """The samples by family."""
    sources = (AccountsSource(board, max_domains=max_domains), InventorySource(board, max_domains=max_domains))
    return {family.name: samples for source in sources for family, samples in source.collect()}


@pytest.mark.parametrize(
    ("certificates", "expected"),
    [
        ([certificate(40, "mail.a.org", "a.org")], {"a.org": 40}),
        ([certificate(-5, "a.org"), certificate(85, "a.org")], {"a.org": 85}),
        ([certificate(10, "a.org", "b.a.org"), certificate(85, "a.org", "b.a.org", "c.a.org")], {"a.org": 85}),
        ([certificate(10, "a.org", "b.a.org"), certificate(85, "a.org", "c.a.org")], {"b.a.org": 10, "a.org": 85}),
        ([certificate(10, "mail.a.org"), certificate(85, "*.a.org")], {"mail.a.org": 10, "*.a.org": 85}),
        ([certificate(10), certificate(20)], {"unknown": 20}),
        ([], {}),
    ],
    ids=["shortest name", "renewed", "renewed with one name more", "half replaced", "wildcard", "no name", "none"],
)
def test_a_certificate_is_shown_while_it_is_the_newest_for_one_of_its_hosts(
    certificates: list[Certificate], expected: dict[str, float]
):
    """A host that a wildcard would match still has its own certificate, which is the one that clients get."""
    assert left(certificates) == expected
    assert left(certificates[::-1]) == expected


_CERTIFICATES = st.lists(
    st.builds(certificate, st.integers(-50, 90), *[st.sampled_from(["a", "b.c", "d", "eeee.f", "g"])] * 3), max_size=8
)


@given(_CERTIFICATES)
def test_every_host_is_answered_for_by_what_is_shown(certificates: list[Certificate]):
    """What is shown are the ends of each host's newest certificate, all of them and no others."""
    newest: dict[str, datetime] = {}
    for one in certificates:
        for host in one.names:
            newest[host] = max(newest.get(host, one.not_after), one.not_after)

    found = in_use(certificates)

    assert set(found.values()) == set(newest.values())
    assert all(newest[name] == at for name, at in found.items())


@given(_CERTIFICATES, st.randoms())
def test_the_order_of_certificates_changes_nothing(certificates: list[Certificate], rng):
    """Also where two end at the same moment."""
    mixed = list(certificates)
    rng.shuffle(mixed)

    assert in_use(mixed) == in_use(certificates)


@pytest.mark.parametrize(
    ("most", "expected", "rest"),
    [
        (3, {"c": 1, "a": 2, "b": 3}, 0),
        (2, {"c": 1, "a": 2, "other": 3}, 1),
        (1, {"c": 1, "other": 2}, 2),
        (0, {"other": 1}, 3),
    ],
)
def test_the_first_to_expire_keep_their_names_and_of_the_rest_the_first_is_shown(
    most: int, expected: dict[str, int], rest: int
):
    """No cap hides the end of a certificate."""
    ends = {name: TODAY + timedelta(days=days) for name, days in (("a", 2), ("b", 3), ("c", 1))}

    samples, dropped = soonest(ends, most)

    assert {name: (value - TODAY.timestamp()) / 86_400 for (name,), value in samples.items()} == expected
    assert dropped == rest


def test_everything_that_is_known_is_shown():
    """Users and groups apart."""
    assert shown(board_with(FULL)) == {
        f.ACCOUNTS.name: {("user",): 7, ("group",): 2},
        f.DOMAINS.name: {(): 3},
        f.CERTIFICATE_NOT_AFTER.name: {("mx.example.org",): TODAY.timestamp()},
        f.TASKS.name: {("AcmeRenewal", "failed"): 1, ("AcmeRenewal", "pending"): 0},
        f.BLOCKED_ADDRESSES.name: {("manual",): 0, ("portScanning",): 4},
        f.CLUSTER_NODES.name: {("active",): 2, ("stale",): 0},
    }


@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("accounts", f.ACCOUNTS),
        ("domains", f.DOMAINS),
        ("certificates", f.CERTIFICATE_NOT_AFTER),
        ("tasks", f.TASKS),
        ("blocked", f.BLOCKED_ADDRESSES),
        ("nodes", f.CLUSTER_NODES),
    ],
)
def test_a_part_that_is_not_known_is_absent_and_the_others_stay(part: str, family: f.Family):
    """Not zero."""
    everything = shown(board_with(FULL))

    without = shown(board_with(replace(FULL, **{part: None})))

    assert everything.keys() - without.keys() == {family.name}


def test_before_the_first_inventory_nothing_is_shown():
    """Nor on a server that has none."""
    assert shown(board_with(None)) == {}


def test_accounts_and_domains_fall_back_on_what_the_server_has_counted():
    """Which counts once a day, and shows zero until then."""
    assert shown(board_with(None, {"user.count": 5, "domain.count": 0})) == {f.ACCOUNTS.name: {("user",): 5}}
    both = shown(board_with(replace(FULL, accounts=None), {"user.count": 5, "domain.count": 9}))
    assert (both[f.ACCOUNTS.name], both[f.DOMAINS.name]) == ({("user",): 5}, {(): 3})


def test_certificates_beyond_the_cap_are_counted():
    """As elsewhere."""
    many = replace(FULL, certificates=[certificate(n, f"mx{n}.example.org") for n in range(5)])
    board = board_with(many)

    samples = shown(board, max_domains=2)[f.CERTIFICATE_NOT_AFTER.name]

    assert [name for (name,) in samples] == ["mx0.example.org", "mx1.example.org", "other"]
    assert board.dropped == {f.CERTIFICATE_NOT_AFTER.name: 3}
