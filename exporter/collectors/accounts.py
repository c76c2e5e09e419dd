"""The families of accounts: how many there are, what they use, and how they are protected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from exporter.collectors import families as f
from exporter.collectors import mail_families as m
from exporter.collectors.exposition import Collected, Labels
from exporter.model.inventory import AccountKind, AccountSums, DomainUsage
from exporter.model.queue import OTHER_DOMAIN
from exporter.model.server import Generation
from exporter.state.board import Part, ServerBoard

UNSORTED = "user_or_group"
"""The type of accounts that the server counts itself from v0.16 on."""


class AccountsSource:
    """
    The numbers of accounts and domains, the use of quotas, and what users have::

        stalwart_accounts{server="mx1",type="user"} 42
        stalwart_quota_accounts{server="mx1",threshold="0.9"} 1
        stalwart_account_used_bytes{server="mx1",domain="example.org",quota="limited"} 73400320
        stalwart_account_features{server="mx1",feature="second_factor"} 12

    Numbers are from the latest walk over the accounts, otherwise from the inventory, otherwise from the server's own
    gauges, where zero means that it has not counted yet.
    """

    def __init__(self, board: ServerBoard, *, max_domains: int) -> None:
        self._board = board
        self._max_domains = max_domains

    def version(self) -> object:
        parts = (Part.ACCOUNTS, Part.INVENTORY, Part.GAUGES, Part.IDENTITY)
        return tuple(self._board.version(part) for part in parts)

    def collect(self) -> Iterator[Collected]:
        numbers = self._numbers()
        if numbers:
            yield f.ACCOUNTS, numbers
        inventory, gauges = self._board.inventory, self._board.gauges or {}
        if inventory is not None and inventory.domains is not None:
            yield f.DOMAINS, {(): inventory.domains}
        elif gauges.get("domain.count"):
            yield f.DOMAINS, {(): gauges["domain.count"]}
        snapshot = self._board.accounts
        if snapshot is None:
            return
        yield from self._uses(snapshot.sums)
        if snapshot.full_at is not None:
            yield m.QUOTA_FULL, {(): snapshot.full_at}

    def _numbers(self) -> Mapping[Labels, int]:
        accounts, inventory, gauges = self._board.accounts, self._board.inventory, self._board.gauges or {}
        counted = {} if inventory is None or inventory.accounts is None else dict(inventory.accounts)
        if accounts is not None:
            # The inventory is read more often.
            counted = {**accounts.sums.kinds, **counted}
        if counted:
            return {(kind.value,): count for kind, count in sorted(counted.items())}
        if not gauges.get("user.count"):
            return {}
        identity = self._board.identity
        is_rest = identity is None or identity.generation is Generation.REST
        return {(AccountKind.USER.value if is_rest else UNSORTED,): gauges["user.count"]}

    def _uses(self, sums: AccountSums) -> Iterator[Collected]:
        yield m.QUOTA_ACCOUNTS, {(f"{threshold:g}",): count for threshold, count in sorted(sums.at_threshold.items())}
        used, quotas, dropped = largest_domains(sums.domains, self._max_domains)
        if dropped:
            self._board.dropped[m.ACCOUNT_USED.name] += dropped
        yield m.ACCOUNT_USED, used
        yield m.ACCOUNT_QUOTA, quotas
        if sums.features is not None:
            yield m.ACCOUNT_FEATURES, {(feature.value,): count for feature, count in sorted(sums.features.items())}


def largest_domains(
    domains: Mapping[str, DomainUsage], most: int
) -> tuple[Mapping[Labels, int], Mapping[Labels, int], int]:
    """Return used bytes and quotas of the *most* domains that use most, the rest as ``other``, and its number."""
    ranked = sorted(domains, key=lambda name: (-domains[name].limited - domains[name].unlimited, name))
    named = frozenset(ranked[:most])
    used: dict[Labels, int] = {}
    quotas: dict[Labels, int] = {}
    for name, usage in sorted(domains.items()):
        label = name if name in named else OTHER_DOMAIN
        for quota, count in (("limited", usage.limited), ("unlimited", usage.unlimited)):
            used[label, quota] = used.get((label, quota), 0) + count
        quotas[label,] = quotas.get((label,), 0) + usage.quota
    return used, quotas, len(domains) - len(named)
