"""
The accounts of a server.

Contract: Stalwart v0.16, ``x:Account`` and ``x:MailingList``; tests/recordings/ops-0.16.18/accounts.json. Secrets are
masked by the server. Several pages are read per request: each is counted from the last row of the request before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from typing import Any

import msgspec

from exporter.errors import PayloadError
from exporter.model.inventory import AccountFeature, AccountKind, AccountSums
from exporter.stalwart.common.account_sums import MOST_ACCOUNTS, AccountFold, AccountRow, bytes_of
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.paging import Found, found_decoder
from exporter.stalwart.jmap.protocol.wire import AnchorGone, Call

PAGE_ROWS = 500
PAGES_A_REQUEST = 8
QUOTA_PROPERTIES = ("emailAddress", "usedDiskQuota", "quotas")
PROPERTIES = (*QUOTA_PROPERTIES, "credentials", "encryptionAtRest")
NO_ENCRYPTION = "Disabled"

_KINDS = {
    AccountKind.USER: ("Account", {"@type": "User"}),
    AccountKind.GROUP: ("Account", {"@type": "Group"}),
    AccountKind.LIST: ("MailingList", {}),
}
_CREDENTIALS = {
    "Password": AccountFeature.PASSWORD,
    "AppPassword": AccountFeature.APPLICATION_PASSWORD,
    "ApiKey": AccountFeature.API_KEY,
}


class _Quotas(msgspec.Struct, rename="camel"):
    max_disk_quota: int | None = None


class _Credential(msgspec.Struct, rename="camel"):
    type: str = msgspec.field(name="@type")
    otp_auth: str | None = None


class _Encryption(msgspec.Struct):
    type: str = msgspec.field(name="@type")


class _Account(msgspec.Struct, rename="camel"):
    id: str
    email_address: str = ""
    used_disk_quota: int = 0
    quotas: _Quotas = msgspec.field(default_factory=_Quotas)
    credentials: dict[str, _Credential] | None = None
    encryption_at_rest: _Encryption | None = None


class _Rows(msgspec.Struct):
    items: list[_Account] = msgspec.field(name="list")


_rows = msgspec.json.Decoder(_Rows)


async def read_accounts(api: JmapApi, *, by_position: bool) -> AccountSums:
    """Add up the accounts. Raises a `TargetError`; `TargetForbidden` if the key may not read users."""
    fold = AccountFold()
    async for rows in walk_accounts(api, PROPERTIES, by_position=by_position):
        fold.feed(rows)
        await asyncio.sleep(0)
    kinds = await _counts(api)
    return fold.finish(kinds, truncated=fold.users >= MOST_ACCOUNTS < kinds[AccountKind.USER])


async def _counts(api: JmapApi) -> Mapping[AccountKind, int]:
    """Count the accounts of each kind, with one request."""
    may_list = await api.allows("MailingList", "query")
    calls = {
        kind: Call(kind.value, f"x:{name}/query", {"filter": conditions, "calculateTotal": True, "limit": 1})
        for kind, (name, conditions) in _KINDS.items()
        if kind is not AccountKind.LIST or may_list
    }
    answers = await api.ask(list(calls.values()))
    counts = {}
    for kind, call in calls.items():
        total = answers.result(call, found_decoder).total
        if total is None:
            raise PayloadError(f"{call.method}.total: missing")
        counts[kind] = total
    return counts


async def walk_accounts(
    api: JmapApi, properties: Sequence[str], *, by_position: bool
) -> AsyncGenerator[list[AccountRow]]:
    """Yield the users page by page, with *properties* only; at most `MOST_ACCOUNTS` users."""
    rows = min(PAGE_ROWS, api.limits.objects)
    pages = max(1, min(PAGES_A_REQUEST, api.limits.calls // 2))
    seen: set[str] = set()
    last_id, count = "", 1
    while len(seen) < MOST_ACCOUNTS:
        places = [_place(last_id, len(seen), number * rows, by_position) for number in range(count)]
        calls = [_page(number, place, properties, rows) for number, place in enumerate(places)]
        try:
            answers = await api.ask([call for page in calls for call in page])
            found = [answers.result(query, found_decoder) for query, _ in calls]
        except AnchorGone:
            if by_position:
                raise
            by_position = True
            continue
        before = len(seen)
        for _, get in calls:
            fresh = [row for row in answers.result(get, _rows).items if row.id not in seen]
            seen.update(row.id for row in fresh)
            yield [_row(row) for row in fresh]
        last_id = next((ids.ids[-1] for ids in reversed(found) if ids.ids), last_id)
        if len(seen) == before or _is_last(found[-1], rows):
            return
        total = found[0].total
        left = MOST_ACCOUNTS if total is None else total - len(seen)
        count = max(1, min(pages, -(-left // rows)))


def _is_last(found: Found, rows: int) -> bool:
    return len(found.ids) < min(rows, found.limit or rows)


def _place(last_id: str, walked: int, offset: int, by_position: bool) -> Mapping[str, Any]:
    if by_position or not last_id:
        return {"position": walked + offset, "calculateTotal": True}
    return {"anchor": last_id, "anchorOffset": 1 + offset, "calculateTotal": True}


def _page(number: int, place: Mapping[str, Any], properties: Sequence[str], rows: int) -> tuple[Call, Call]:
    arguments = {"filter": {"@type": "User"}, "sort": [{"property": "id", "isAscending": True}], **place, "limit": rows}
    query = Call(f"q{number}", "x:Account/query", arguments)
    return query, Call(f"g{number}", "x:Account/get", {"#ids": query.ids(), "properties": properties})


def _row(account: _Account) -> AccountRow:
    return AccountRow(
        account_id=account.id,
        address=account.email_address,
        used=bytes_of(account.used_disk_quota),
        quota=bytes_of(account.quotas.max_disk_quota or 0),
        features=_features(account),
    )


def _features(account: _Account) -> Set[AccountFeature] | None:
    if account.credentials is None:
        return None
    credentials = account.credentials.values()
    found = {_CREDENTIALS[one.type] for one in credentials if one.type in _CREDENTIALS}
    if any(one.otp_auth is not None for one in credentials if one.type == "Password"):
        found.add(AccountFeature.SECOND_FACTOR)
    if account.encryption_at_rest is not None and account.encryption_at_rest.type != NO_ENCRYPTION:
        found.add(AccountFeature.ENCRYPTION_AT_REST)
    return found
