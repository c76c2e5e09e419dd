"""
What a server holds beside mail.

Contract: Stalwart v0.16, ``x:Account``, ``x:Domain``, ``x:Certificate``, ``x:Task``, ``x:BlockedIp`` and
``x:ClusterNode``; tests/recordings/jmap-0.16.18. Counting costs the server a walk over an index; objects are got only
where there are few. Of a task's states the server can look for the failed ones only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

from exporter.errors import PayloadError
from exporter.model.inventory import AccountKind, Certificate, Inventory, NodeStatus, TaskState
from exporter.stalwart.jmap.api import JmapApi
from exporter.stalwart.jmap.paging import Cursor, found_decoder
from exporter.stalwart.jmap.wire import Answers, Call
from exporter.stalwart.report_values import utc

PAGE_ROWS = 500
MOST_PAGES = 20
"""Of very many certificates, failed tasks or blocked addresses the rest is not looked at one by one."""

UNKNOWN = "unknown"

TASK_TYPES = (
    "AccountMaintenance",
    "AcmeRenewal",
    "CalendarAlarmEmail",
    "CalendarAlarmNotification",
    "CalendarItipMessage",
    "DestroyAccount",
    "DkimManagement",
    "DmarcReport",
    "DnsManagement",
    "IndexDocument",
    "IndexTrace",
    "MergeThreads",
    "RestoreArchivedItem",
    "SpamFilterMaintenance",
    "StoreMaintenance",
    "TenantMaintenance",
    "TlsReport",
    "UnindexDocument",
)
BLOCK_REASONS = frozenset({"rcptToFailure", "authFailure", "loitering", "portScanning", "manual", "other"})

_Moment = Annotated[datetime, msgspec.Meta(tz=True)]
_KINDS = {AccountKind.USER: "User", AccountKind.GROUP: "Group"}

T = TypeVar("T")


class _Certificate(msgspec.Struct, rename="camel"):
    not_valid_after: _Moment
    subject_alternative_names: dict[str, bool] = {}


class _Task(msgspec.Struct):
    type: str = msgspec.field(name="@type")


class _Blocked(msgspec.Struct):
    reason: str


class _Node(msgspec.Struct):
    status: str


class _Rows(msgspec.Struct):
    items: list[msgspec.Raw] = msgspec.field(name="list")


_rows = msgspec.json.Decoder(_Rows)


class InventoryReader:
    """Takes the inventory of one server, of what our key may see."""

    def __init__(self, api: JmapApi) -> None:
        self._api = api
        self._unknown: Counter[str] = Counter()

    async def read(self) -> Inventory:
        """The inventory. Raises a `TargetError` if the server cannot be asked at all."""
        self._unknown = Counter()
        return Inventory(
            accounts=await self._accounts(),
            domains=await self._domains(),
            certificates=await self._certificates(),
            tasks=await self._tasks(),
            blocked=await self._blocked(),
            nodes=await self._nodes(),
            unknown=dict(self._unknown),
        )

    async def _accounts(self) -> Mapping[AccountKind, int] | None:
        if not self._api.may("Account", "query"):
            return None
        counts = await self._count("Account", {kind.value: {"@type": name} for kind, name in _KINDS.items()})
        return {kind: counts[kind.value] for kind in AccountKind}

    async def _domains(self) -> int | None:
        if not self._api.may("Domain", "query"):
            return None
        return (await self._count("Domain", {"all": {}}))["all"]

    async def _certificates(self) -> Sequence[Certificate] | None:
        if not self._api.may("Certificate", "query", "get"):
            return None
        rows = await self._rows("Certificate", {}, ("subjectAlternativeNames", "notValidAfter"), _Certificate)
        return [
            Certificate(
                names=sorted(name.lower() for name in row.subject_alternative_names),
                not_after=utc(row.not_valid_after, "x:Certificate/get.list[...].notValidAfter"),
            )
            for row in rows
        ]

    async def _tasks(self) -> Mapping[tuple[str, TaskState], int] | None:
        if not self._api.may("Task", "query", "get"):
            return None
        failed = Counter([row.type for row in await self._rows("Task", {"status": "Failed"}, ("@type",), _Task)])
        totals = await self._count("Task", {"all": {}, **{name: {"@type": name} for name in TASK_TYPES}})
        strange = sum(count for name, count in failed.items() if name not in TASK_TYPES)
        totals[UNKNOWN] = max(strange, totals["all"] - sum(totals[name] for name in TASK_TYPES))
        failed[UNKNOWN] = strange
        tasks = {}
        for name in (*TASK_TYPES, UNKNOWN):
            tasks[name, TaskState.FAILED] = failed[name]
            tasks[name, TaskState.PENDING] = max(0, totals[name] - failed[name])
        if totals[UNKNOWN]:
            self._unknown["task_type"] += totals[UNKNOWN]
        return tasks

    async def _blocked(self) -> Mapping[str, int] | None:
        if not self._api.may("BlockedIp", "query", "get"):
            return None
        blocked = Counter(dict.fromkeys(sorted(BLOCK_REASONS), 0))
        for row in await self._rows("BlockedIp", {}, ("reason",), _Blocked):
            blocked[self._known(row.reason, BLOCK_REASONS, "block_reason")] += 1
        return dict(blocked)

    async def _nodes(self) -> Mapping[NodeStatus, int] | None:
        if not self._api.may("ClusterNode", "get"):
            return None
        get = Call("g", "x:ClusterNode/get", {"ids": None})
        nodes = Counter(dict.fromkeys(NodeStatus, 0))
        for row in _objects(await self._api.ask([get]), get, _Node):
            nodes[NodeStatus(self._known(row.status, frozenset(NodeStatus), "node_status"))] += 1
        return dict(nodes)

    def _known(self, word: str, words: frozenset[str], field: str) -> str:
        if word in words:
            return word
        self._unknown[field] += 1
        return UNKNOWN

    async def _count(self, kind: str, filters: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
        """How many objects each filter finds, by the filter's name."""
        calls = [
            Call(name, f"x:{kind}/query", {"filter": conditions, "calculateTotal": True, "limit": 1})
            for name, conditions in filters.items()
        ]
        counts = {}
        for start in range(0, len(calls), self._api.limits.calls):
            batch = calls[start : start + self._api.limits.calls]
            answers = await self._api.ask(batch)
            for call in batch:
                total = answers.result(call, found_decoder).total
                if total is None:
                    raise PayloadError(f"{call.method}.total: missing")
                counts[call.id] = total
        return counts

    async def _rows(
        self, kind: str, conditions: Mapping[str, str], properties: Sequence[str], of: type[T]
    ) -> Sequence[T]:
        """The objects that a filter finds, up to `MOST_PAGES` pages of them."""
        cursor = Cursor(
            self._api, kind, {"filter": conditions}, rows=PAGE_ROWS, by_position=False, properties=properties
        )
        found: list[T] = []
        for _ in range(MOST_PAGES):
            page = await cursor.next_page()
            found += _objects(page.answers, page.get, of)
            if cursor.ended:
                break
        return found


def _objects(answers: Answers, get: Call, of: type[T]) -> list[T]:
    try:
        return [msgspec.json.decode(raw, type=of) for raw in answers.result(get, _rows).items]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(f"{get.method}.list: {error}") from error
