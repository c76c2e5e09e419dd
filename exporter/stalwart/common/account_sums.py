"""Sums over the accounts of a server, page by page; rows are dropped once they are counted."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from exporter.domains import domain_name
from exporter.model.inventory import (
    FULLEST_KEPT,
    QUOTA_THRESHOLDS,
    UNKNOWN,
    AccountFeature,
    AccountKind,
    AccountSums,
    DomainUsage,
    QuotaUse,
)

MOST_ACCOUNTS = 100_000
"""The most users that are read."""

MOST_BYTES = 2**63 - 1
"""Larger numbers of bytes are cut to this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """
    One user.

    Attributes:
        name: Of the login; empty if it was not requested.
        address: The first address; empty if there is none.
        quota: In bytes; 0 without a quota of its own.
        features: ``None`` if they are not readable.
    """

    account_id: str
    address: str
    used: int
    quota: int
    name: str = ""
    features: Set[AccountFeature] | None = None


def bytes_of(value: int) -> int:
    """Return a number of bytes without the negative ones that a server's counters may show."""
    return min(max(0, value), MOST_BYTES)


class AccountFold:
    """Adds up users."""

    def __init__(self) -> None:
        self.users = 0
        self._used: Counter[tuple[str, bool]] = Counter()
        self._quotas: Counter[str] = Counter()
        self._at_threshold: Counter[float] = Counter(dict.fromkeys(QUOTA_THRESHOLDS, 0))
        self._features: Counter[AccountFeature] | None = Counter(dict.fromkeys(AccountFeature, 0))
        self._fullest: list[tuple[float, str, QuotaUse]] = []

    def feed(self, rows: Iterable[AccountRow]) -> None:
        """Count *rows*."""
        for row in rows:
            self.users += 1
            domain = domain_name(row.address.rpartition("@")[2]) or UNKNOWN
            self._used[domain, row.quota > 0] += row.used
            self._quotas[domain] += row.quota
            if row.quota > 0:
                self._feed_quota(QuotaUse(account_id=row.account_id, used=row.used, quota=row.quota))
            if row.features is None:
                self._features = None
            elif self._features is not None:
                self._features.update(row.features)

    def _feed_quota(self, use: QuotaUse) -> None:
        for threshold in QUOTA_THRESHOLDS:
            self._at_threshold[threshold] += use.share >= threshold
        entry = (use.share, use.account_id, use)
        if len(self._fullest) < FULLEST_KEPT:
            heapq.heappush(self._fullest, entry)
        else:
            heapq.heappushpop(self._fullest, entry)

    def finish(self, kinds: Mapping[AccountKind, int], *, truncated: bool) -> AccountSums:
        """Return the sums, with the numbers of accounts by kind."""
        return AccountSums(
            kinds=kinds,
            domains={
                domain: DomainUsage(
                    limited=self._used[domain, True], unlimited=self._used[domain, False], quota=self._quotas[domain]
                )
                for domain in sorted({domain for domain, _ in self._used})
            },
            at_threshold=dict(self._at_threshold),
            features=None if self._features is None else dict(self._features),
            fullest=[use for _, _, use in sorted(self._fullest, key=lambda entry: entry[:2], reverse=True)],
            truncated=truncated,
        )
