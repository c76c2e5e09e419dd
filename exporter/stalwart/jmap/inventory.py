"""
The inventory: what a server manages besides mail.

Contract: Stalwart v0.16, ``x:Account``, ``x:Domain``, ``x:Certificate``, ``x:Task``, ``x:BlockedIp`` and
``x:ClusterNode``; tests/recordings/jmap-0.16.18. Counting costs the server a walk over an index; objects are fetched
only where there are few. The server can filter tasks by failed ones only, not by other states.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Generic, NamedTuple, TypeVar

import msgspec

from exporter.clock import Clock
from exporter.domains import domain_name
from exporter.errors import PayloadError, TargetForbidden
from exporter.model.inventory import UNKNOWN, AccountKind, Certificate, Inventory, NodeStatus, TaskState
from exporter.stalwart.common.report_values import utc
from exporter.stalwart.jmap.protocol.api import RECHECK_SECONDS, JmapApi
from exporter.stalwart.jmap.protocol.paging import Cursor, found_decoder
from exporter.stalwart.jmap.protocol.wire import Call, MethodResponses

PAGE_ROWS = 500
MAX_PAGES = 20
"""The most pages of certificates, failed tasks or blocked addresses that are fetched; the rest are only counted."""

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


class _Looked(NamedTuple, Generic[T]):
    """
    Objects that were fetched.

    Attributes:
        beyond: The number of further objects that were not fetched.
    """

    rows: Sequence[T]
    beyond: int


class InventoryReader:
    """
    A reader of one server's inventory, as far as the key may read it.

    Parts that the list of permissions excludes are not requested. A part that is forbidden all the same, for example
    after a permission was revoked, is skipped for an hour.
    """

    def __init__(self, api: JmapApi, *, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._refused_at: dict[str, float] = {}
        self._unknown: Counter[str] = Counter()

    def forget(self) -> None:
        """Request forbidden parts again, since the server may be a different one now."""
        self._refused_at.clear()

    async def read(self) -> Inventory:
        """Fetch the inventory. Raises a `TargetError` if the requests fail."""
        self._unknown = Counter()
        return Inventory(
            accounts=await self._part(self._accounts, "Account", "query"),
            domains=await self._part(self._domains, "Domain", "query"),
            certificates=await self._part(self._certificates, "Certificate", "query", "get"),
            tasks=await self._part(self._tasks, "Task", "query", "get"),
            blocked=await self._part(self._blocked, "BlockedIp", "query", "get"),
            nodes=await self._part(self._nodes, "ClusterNode", "get"),
            unknown=dict(self._unknown),
        )

    async def _part(self, read: Callable[[], Awaitable[T]], kind: str, *verbs: str) -> T | None:
        """Fetch one part; ``None`` if the key may not read it, which does not affect the others."""
        refused_at = self._refused_at.get(kind)
        if refused_at is not None and self._clock.monotonic() - refused_at < RECHECK_SECONDS:
            return None
        if not await self._api.allows(kind, *verbs):
            return None
        try:
            part = await read()
        except TargetForbidden:
            self._refused_at[kind] = self._clock.monotonic()
            await self._api.fetch_account()
            return None
        self._refused_at.pop(kind, None)
        return part

    async def _accounts(self) -> Mapping[AccountKind, int]:
        counts = await self._count("Account", {kind.value: {"@type": name} for kind, name in _KINDS.items()})
        return {kind: counts[kind.value] for kind in _KINDS}

    async def _domains(self) -> int:
        return (await self._count("Domain", {"all": {}}))["all"]

    async def _certificates(self) -> Sequence[Certificate]:
        looked = await self._look("Certificate", {}, ("subjectAlternativeNames", "notValidAfter"), _Certificate)
        return [
            Certificate(
                names=self._host_names(row.subject_alternative_names),
                not_after=utc(row.not_valid_after, "x:Certificate/get.list[...].notValidAfter"),
            )
            for row in looked.rows
        ]

    def _host_names(self, names: Mapping[str, bool]) -> Sequence[str]:
        """Return the valid host names; a certificate may also contain addresses and arbitrary text."""
        found = {_host_name(name) for name in names}
        if None in found:
            self._unknown["certificate_name"] += 1
        return sorted(name for name in found if name is not None)

    async def _tasks(self) -> Mapping[tuple[str, TaskState], int]:
        looked = await self._look("Task", {"status": "Failed"}, ("@type",), _Task)
        failed = Counter([row.type for row in looked.rows])
        totals = await self._count("Task", {"all": {}, **{name: {"@type": name} for name in TASK_TYPES}})
        strange = sum(count for name, count in failed.items() if name not in TASK_TYPES)
        totals[UNKNOWN] = max(strange, totals["all"] - sum(totals[name] for name in TASK_TYPES))
        failed[UNKNOWN] = strange + looked.beyond
        tasks = {}
        for name in (*TASK_TYPES, UNKNOWN):
            tasks[name, TaskState.FAILED] = failed[name]
            tasks[name, TaskState.PENDING] = max(0, totals[name] - failed[name])
        if totals[UNKNOWN]:
            self._unknown["task_type"] += totals[UNKNOWN]
        return tasks

    async def _blocked(self) -> Mapping[str, int]:
        blocked = Counter(dict.fromkeys(sorted(BLOCK_REASONS), 0))
        looked = await self._look("BlockedIp", {}, ("reason",), _Blocked)
        for row in looked.rows:
            blocked[self._known(row.reason, BLOCK_REASONS, "block_reason")] += 1
        if looked.beyond:
            blocked[UNKNOWN] += looked.beyond
        return dict(blocked)

    async def _nodes(self) -> Mapping[NodeStatus, int]:
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
        """Count the objects that each filter finds, by the filter's name."""
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

    async def _look(
        self, kind: str, conditions: Mapping[str, str], properties: Sequence[str], of: type[T]
    ) -> _Looked[T]:
        """Fetch the objects that a filter finds, at most `MAX_PAGES` pages."""
        cursor = Cursor(
            self._api, kind, {"filter": conditions}, rows=PAGE_ROWS, by_position=False, properties=properties
        )
        found: list[T] = []
        for _ in range(MAX_PAGES):
            page = await cursor.next_page()
            found += _objects(page.answers, page.get, of)
            if cursor.ended:
                return _Looked(found, 0)
        return _Looked(found, max(0, (cursor.total or 0) - len(found)))


def _host_name(text: str) -> str | None:
    """Return a host name or wildcard (``*.example.org``) in normalised form; ``None`` if it is neither."""
    name = domain_name(text.removeprefix("*."))
    return f"*.{name}" if name is not None and text.startswith("*.") else name


def _objects(answers: MethodResponses, get: Call, of: type[T]) -> list[T]:
    try:
        return [msgspec.json.decode(raw, type=of) for raw in answers.result(get, _rows).items]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PayloadError(f"{get.method}.list: {error}") from error
