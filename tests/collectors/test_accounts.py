"""The samples of accounts: whose numbers are shown, and which domains keep their names."""

from __future__ import annotations

import pytest

from exporter.collectors import families as f
from exporter.collectors import mail_families as m
from exporter.collectors.accounts import AccountsSource
from exporter.collectors.exposition import Samples
from exporter.model.inventory import (
    AccountFeature,
    AccountKind,
    AccountSnapshot,
    AccountSums,
    DomainUsage,
    Inventory,
)
from exporter.model.server import Generation, ServerIdentity
from exporter.state.board import Part, ServerBoard
from exporter.state.tally import TallyBook

SUMS = AccountSums(
    kinds={AccountKind.USER: 7, AccountKind.LIST: 1},
    domains={
        "a.test": DomainUsage(limited=10, unlimited=1, quota=100),
        "b.test": DomainUsage(limited=0, unlimited=500, quota=0),
        "c.test": DomainUsage(limited=30, unlimited=0, quota=50),
    },
    at_threshold={0.8: 3, 0.9: 2, 1.0: 0},
    features=None,
    fullest=[],
    truncated=False,
)
INVENTORY = Inventory(
    accounts={AccountKind.USER: 8, AccountKind.GROUP: 2},
    domains=None,
    certificates=None,
    tasks=None,
    blocked=None,
    nodes=None,
)


def board_with(sums: AccountSums | None = None, full_at: float | None = None) -> ServerBoard:
    """A server of which so much is known."""
    board = ServerBoard("mx1", TallyBook(), monotonic=lambda: 0.0)
    if sums is not None:
        board.publish(Part.ACCOUNTS, AccountSnapshot(sums, full_at), fresh_seconds=900)
    return board


def shown(board: ServerBoard, *, max_domains: int = 25) -> dict[str, Samples]:
    """The samples by family."""
    return {family.name: samples for family, samples in AccountsSource(board, max_domains=max_domains).collect()}


def test_what_is_known_is_shown() -> None:
    """A feature that cannot be read and a prediction that cannot be made are absent."""
    assert shown(board_with(SUMS)) == {
        f.ACCOUNTS.name: {("user",): 7, ("list",): 1},
        m.QUOTA_ACCOUNTS.name: {("0.8",): 3, ("0.9",): 2, ("1",): 0},
        m.ACCOUNT_USED.name: {
            ("a.test", "limited"): 10,
            ("a.test", "unlimited"): 1,
            ("b.test", "limited"): 0,
            ("b.test", "unlimited"): 500,
            ("c.test", "limited"): 30,
            ("c.test", "unlimited"): 0,
        },
        m.ACCOUNT_QUOTA.name: {("a.test",): 100, ("b.test",): 0, ("c.test",): 50},
    }


def test_features_and_the_prediction_are_shown() -> None:
    """Where there are some."""
    sums = AccountSums(**{**{n: getattr(SUMS, n) for n in SUMS.__slots__}, "features": {AccountFeature.PASSWORD: 6}})

    samples = shown(board_with(sums, full_at=1_796_000_000.5))

    assert samples[m.ACCOUNT_FEATURES.name] == {("password",): 6}
    assert samples[m.QUOTA_FULL.name] == {(): 1_796_000_000.5}


def test_domains_beyond_the_limit_are_summed() -> None:
    """Those that use most keep their names, nothing is lost, and what is dropped is counted."""
    board = board_with(SUMS)

    samples = shown(board, max_domains=1)

    assert samples[m.ACCOUNT_USED.name] == {
        ("b.test", "limited"): 0,
        ("b.test", "unlimited"): 500,
        ("other", "limited"): 40,
        ("other", "unlimited"): 1,
    }
    assert samples[m.ACCOUNT_QUOTA.name] == {("b.test",): 0, ("other",): 150}
    assert board.dropped[m.ACCOUNT_USED.name] == 2


def test_the_inventory_is_newer_than_the_walk() -> None:
    """Kinds that it does not count come from the walk."""
    board = board_with(SUMS)
    board.publish(Part.INVENTORY, INVENTORY, fresh_seconds=900)

    assert shown(board)[f.ACCOUNTS.name] == {("user",): 8, ("group",): 2, ("list",): 1}


@pytest.mark.parametrize(
    ("generation", "type_"), [(Generation.REST, "user"), (Generation.JMAP, "user_or_group")], ids=["rest", "jmap"]
)
def test_the_servers_own_count_is_the_last_resort(generation: Generation, type_: str) -> None:
    """What it counts differs between generations."""
    board = board_with()
    board.identity = ServerIdentity(generation=generation)
    board.publish(Part.GAUGES, {"user.count": 5}, fresh_seconds=180)

    assert shown(board) == {f.ACCOUNTS.name: {(type_,): 5}}
