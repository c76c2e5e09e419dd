"""The collector of accounts: their numbers, the use of quotas, and when the first mailbox is full."""

from __future__ import annotations

import structlog

from exporter.clock import Clock
from exporter.ingest.counting.ledger import Ledger
from exporter.ingest.jobs.inventory.growth import Growth
from exporter.ingest.jobs.queue import fresh_seconds
from exporter.model.inventory import AccountSnapshot
from exporter.stalwart.client import StalwartClient
from exporter.state.board import Part, ServerBoard

log = structlog.get_logger("exporter.accounts")

ACCOUNTS_MARK = "accounts"


class AccountsJob:
    """Publishes the sums over a server's accounts; *clock* is the exporter's."""

    def __init__(self, board: ServerBoard, ledger: Ledger, *, clock: Clock, interval_seconds: float) -> None:
        self._board = board
        self._ledger = ledger
        self._clock = clock
        self._fresh_seconds = fresh_seconds(interval_seconds)
        self._growth = ledger.restore(ACCOUNTS_MARK, Growth.restore) or Growth()
        self._truncated = False

    async def __call__(self, client: StalwartClient) -> None:
        """Poll once. `TargetForbidden`: the key may not read users."""
        sums = await client.fetch_accounts()
        at = int(self._clock.now().timestamp())
        full_at = self._growth.observe(sums.fullest, generation=client.generation.value, at=at)
        if sums.truncated and not self._truncated:
            log.warning("accounts.truncated", server=self._board.name, collector="accounts")
        self._truncated = sums.truncated
        self._board.publish(Part.ACCOUNTS, AccountSnapshot(sums, full_at), fresh_seconds=self._fresh_seconds)
        await self._ledger.record({}, {ACCOUNTS_MARK: self._growth.state()})
