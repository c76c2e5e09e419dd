"""
Queue control of v0.16 and newer.

Contract: Stalwart v0.16, ``x:QueuedMessage/set`` and ``x:Action/set``, one message per request;
tests/recordings/ops-0.16.18. Recipients are named exactly. Any time in the past means now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from exporter.clock import Clock, rfc3339
from exporter.errors import PayloadError, PayloadTooLarge, TargetForbidden, TargetServerError
from exporter.model.server import Generation
from exporter.stalwart.common.ids import decode_id, encode_id
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.protocol.api import JmapApi
from exporter.stalwart.jmap.protocol.wire import BatchTooLarge, Call, MethodResponses, request_of
from exporter.stalwart.operator.calls import ACTION_SET, QUEUED_MESSAGE_SET, OperatorEndpoint
from exporter.stalwart.operator.client import Answer, Target
from exporter.stalwart.operator.jmap import wire
from exporter.stalwart.operator.messages import QueuedMessage

LONG_AGO = "2000-01-01T00:00:00Z"
PAGE_ROWS = 200


class JmapOperator:
    """The `OperatorClient` of a server from v0.16 on; *api* knows the account's permissions and limits."""

    generation = Generation.JMAP

    def __init__(self, transport: Transport, api: JmapApi, *, clock: Clock) -> None:
        self._transport = transport
        self._api = api
        self._clock = clock
        self._rows = PAGE_ROWS

    def normal_id(self, text: str) -> str | None:
        try:
            return encode_id(decode_id(text)) if len(text) <= 32 else None
        except ValueError:
            return None

    def missing_permissions(self, needed: Collection[str]) -> Sequence[str]:
        account = self._api.account
        return sorted(set(needed) - account.permissions) if account is not None else ()

    async def walk(self, *, max_messages: int) -> AsyncIterator[Sequence[QueuedMessage]]:
        seen: set[str] = set()
        place = 0
        while True:
            rows = min(self._rows, self._api.limits.objects)
            page = await self._page(place, rows)
            if page is None:
                continue
            ids, messages = page
            fresh = [message for message in messages if message.id not in seen]
            left = max_messages - len(seen) if max_messages else len(fresh)
            yield fresh[:left]
            seen.update(ids)
            # Rows shift towards the front while messages leave: overlap, and count each id once.
            place += max(1, len(ids) - rows // 10)
            if len(ids) < rows or (max_messages and len(seen) >= max_messages):
                return

    async def fetch(self, ids: Sequence[str]) -> Mapping[str, QueuedMessage]:
        found: dict[str, QueuedMessage] = {}
        rows = min(self._rows, self._api.limits.objects)
        for start in range(0, len(ids), rows):
            get = Call("g", "x:QueuedMessage/get", {"ids": [*ids[start : start + rows]], "properties": wire.PROPERTIES})
            answers = await self._api.ask([get])
            found |= {message.id: wire.read(message) for message in answers.result(get, wire.messages).items}
        if not found.keys() <= set(ids):
            raise PayloadError("x:QueuedMessage/get.list: a message that was not requested")
        return found

    def bystanders(self, target: Target, *, retry: bool) -> Sequence[str]:
        return ()

    async def retry(self, target: Target, at: datetime | None) -> Answer:
        time = LONG_AGO if at is None else rfc3339(at)
        if target.addresses is None:
            return await self._update(target.message, {"nextRetry": time})
        return await self._update(
            target.message, {f"recipients/{_escaped(address)}/retryDue": time for address in sorted(target.addresses)}
        )

    async def cancel(self, target: Target) -> Answer:
        if target.addresses is not None:
            patch = {f"recipients/{_escaped(address)}": None for address in sorted(target.addresses)}
            return await self._update(target.message, patch)
        result = await self._set(QUEUED_MESSAGE_SET, {"destroy": [target.message.id]})
        return result.answer(target.message.id)

    async def wake(self, message: QueuedMessage) -> Answer:
        due = min(message.pending(), key=lambda recipient: recipient.next_retry_at)
        is_due = due.next_retry_at <= self._clock.now()
        # A change that changes nothing causes no event: one second later than planned is the smallest.
        time = LONG_AGO if is_due else rfc3339(due.next_retry_at + timedelta(seconds=1))
        return await self._update(message, {f"recipients/{_escaped(due.address)}/retryDue": time})

    async def fetch_running(self) -> bool | None:
        return None

    async def pause(self) -> None:
        await self._act("PauseMtaQueue")

    async def resume(self) -> None:
        await self._act("ResumeMtaQueue")

    async def _page(self, place: int, rows: int) -> tuple[Sequence[str], Sequence[QueuedMessage]] | None:
        """Fetch a page of the queue; ``None`` if it was too large, and the next will be smaller."""
        sort = [{"property": "due", "isAscending": True}]
        query = Call("q", "x:QueuedMessage/query", {"sort": sort, "position": place, "limit": rows})
        get = Call("g", "x:QueuedMessage/get", {"#ids": query.ids(), "properties": wire.PROPERTIES})
        try:
            answers = await self._api.ask([query, get])
            ids = answers.result(query, wire.ids).ids
            return ids, [wire.read(message) for message in answers.result(get, wire.messages).items]
        except (PayloadTooLarge, BatchTooLarge):
            if rows == 1:
                raise
            self._rows = rows // 2
            return None

    async def _update(self, message: QueuedMessage, patch: Mapping[str, str | None]) -> Answer:
        if not patch:
            raise ValueError("no recipient is named")
        return (await self._set(QUEUED_MESSAGE_SET, {"update": {message.id: patch}})).answer(message.id)

    async def _act(self, action: str) -> None:
        result = await self._set(ACTION_SET, {"create": {"k": {"@type": action}}})
        problem = result.problem()
        if problem is not None and problem.type == "forbidden":
            raise TargetForbidden(f"{ACTION_SET}: the key lacks the permission action{action}")
        if problem is not None or not result.created:
            raise TargetServerError(f"{ACTION_SET}: {wire.words(problem) if problem else 'nothing was done'}")

    async def _set(self, method: str, arguments: Mapping[str, Any]) -> wire.Changed:
        call = Call("c", method, arguments)
        body = await self._transport.request(OperatorEndpoint.JMAP_CHANGE, body=request_of([call]))
        try:
            return MethodResponses(body).result(call, wire.changed)
        except TargetForbidden as error:
            raise TargetForbidden(f"{method}: the key lacks the permission for this change") from error


def _escaped(address: str) -> str:
    """Return an address as one member of a JSON Pointer (RFC 6901)."""
    return address.replace("~", "~0").replace("/", "~1")
