"""
The accounts of a server.

Contract: Stalwart v0.10-v0.15, ``GET /api/principal?types=...&fields=...``; tests/recordings/ops-0.15.5/accounts.json.
Second factors and application passwords are listed only among the secrets, so they are not read. A response with
secrets, which a server sends if it does not know the fields that were requested, is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import msgspec

from exporter.clock import Clock
from exporter.errors import PayloadError, TargetForbidden
from exporter.model.inventory import AccountKind, AccountSums
from exporter.stalwart.common.account_sums import MOST_ACCOUNTS, AccountFold, AccountRow, bytes_of
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.http.transport import Transport

ROWS_A_PAGE = 2500
"""Four requests read 10 000 accounts; a page takes the server a quarter of a second and has 250 kB."""

RECHECK_SECONDS = 3600.0

_COUNTS = {AccountKind.GROUP: Endpoint.GROUPS, AccountKind.LIST: Endpoint.MAILING_LISTS}


class _Account(msgspec.Struct, rename="camel"):
    id: int
    name: str = ""
    emails: list[str] = []
    quota: int = 0
    used_quota: int = 0
    secrets: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Items(msgspec.Struct):
    items: list[_Account]
    total: int


class _Page(msgspec.Struct):
    data: _Items


class _Total(msgspec.Struct):
    total: int


class _Count(msgspec.Struct):
    data: _Total


_page = msgspec.json.Decoder(_Page)
_count = msgspec.json.Decoder(_Count)


class AccountReader:
    """Reads the accounts of one server; kinds that the key may not read are requested once per hour."""

    def __init__(self, transport: Transport, *, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._refused_at: dict[AccountKind, float] = {}

    async def read(self) -> AccountSums:
        """Add up the accounts. Raises a `TargetError`; `TargetForbidden` if the key may not read users."""
        fold, total = AccountFold(), 0
        async for rows, total in walk_accounts(self._transport, Endpoint.ACCOUNTS):  # noqa: B007 - the last one counts
            fold.feed(rows)
            await asyncio.sleep(0)
        kinds = {AccountKind.USER: max(total, fold.users), **await self._counts()}
        return fold.finish(kinds, truncated=fold.users >= MOST_ACCOUNTS < total)

    async def _counts(self) -> Mapping[AccountKind, int]:
        counts = {}
        for kind, endpoint in _COUNTS.items():
            refused_at = self._refused_at.get(kind)
            if refused_at is not None and self._clock.monotonic() - refused_at < RECHECK_SECONDS:
                continue
            try:
                body = await self._transport.request(endpoint, params={"limit": 1})
            except TargetForbidden:
                self._refused_at[kind] = self._clock.monotonic()
                continue
            counts[kind] = decode_response(_count, body).data.total
        return counts


async def walk_accounts(transport: Transport, endpoint: Endpoint) -> AsyncIterator[tuple[list[AccountRow], int]]:
    """Yield the users page by page, each page with the server's total; at most `MOST_ACCOUNTS` users."""
    seen: set[str] = set()
    for page in range(1, MOST_ACCOUNTS // ROWS_A_PAGE + 1):
        body = await transport.request(endpoint, params={"limit": ROWS_A_PAGE, "page": page})
        rows, total = await asyncio.to_thread(parse_accounts, body)
        fresh = [row for row in rows if row.account_id not in seen]
        seen.update(row.account_id for row in fresh)
        yield fresh, total
        if len(rows) < ROWS_A_PAGE or not fresh:
            return


def parse_accounts(body: bytes) -> tuple[list[AccountRow], int]:
    """Return the users of a page and their total number. Raises `PayloadError`, also for a page with secrets."""
    items = decode_response(_page, body).data
    if any(item.secrets is not msgspec.UNSET for item in items.items):
        raise PayloadError("data.items[...].secrets: the server sends secrets that were not requested; not read")
    rows = [
        AccountRow(
            account_id=str(item.id),
            name=item.name,
            address=item.emails[0] if item.emails else "",
            used=bytes_of(item.used_quota),
            quota=bytes_of(item.quota),
        )
        for item in items.items
    ]
    return rows, max(0, items.total)
