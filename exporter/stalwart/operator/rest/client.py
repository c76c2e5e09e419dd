"""
Queue control of v0.10 to v0.15.

Contract: Stalwart v0.10-v0.15, ``/api/queue``; tests/recordings/ops-0.15.5. The parameter ``filter`` of a change
matches part of an address (of a domain name for retries up to v0.12), so it is sent only if it matches nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime

from exporter.clock import Clock, rfc3339
from exporter.errors import PayloadError, PayloadTooLarge, TargetUnsupported
from exporter.model.server import Generation
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.operator.calls import OperatorEndpoint
from exporter.stalwart.operator.client import ACCEPTED, NOT_FOUND, Answer, Target, Verdict
from exporter.stalwart.operator.messages import QueuedMessage, QueuedRecipient
from exporter.stalwart.operator.rest.wire import parse_changed, parse_message, parse_page

PAGE_ROWS = 500
MAX_ID = 2**64


class RestOperator:
    """The `OperatorClient` of a server from v0.10 to v0.15."""

    generation = Generation.REST

    def __init__(self, transport: Transport, *, clock: Clock) -> None:
        self._transport = transport
        self._clock = clock
        self._rows = PAGE_ROWS

    def normal_id(self, text: str) -> str | None:
        # A snowflake has at most 20 digits; anything longer would only cost time.
        if not text.isascii() or not text.isdigit() or len(text) > 20 or int(text) >= MAX_ID:
            return None
        return str(int(text))

    def missing_permissions(self, needed: Collection[str]) -> Sequence[str]:
        return ()  # These releases do not report them to the key.

    async def walk(self, *, max_messages: int) -> AsyncIterator[Sequence[QueuedMessage]]:
        cursor, left = 0, max_messages or MAX_ID
        while left:
            asked = min(self._rows, left)
            page = await self._page(cursor, asked)
            if page is None:
                continue
            yield page
            left -= len(page)
            if len(page) < asked:
                return
            cursor = int(page[-1].id) + 1

    async def fetch(self, ids: Sequence[str]) -> Mapping[str, QueuedMessage]:
        if len(ids) == 1:
            found = await self._one(ids[0])
            return {} if found is None else {found.id: found}
        wanted = sorted(map(int, ids))
        messages: dict[str, QueuedMessage] = {}
        while wanted:
            asked = self._rows
            page = await self._page(wanted[0], asked)
            if page is None:
                continue
            last = int(page[-1].id) if len(page) == asked else MAX_ID
            messages |= {message.id: message for message in page if int(message.id) in wanted}
            wanted = [id_ for id_ in wanted if id_ > last]
        return messages

    def bystanders(self, target: Target, *, retry: bool) -> Sequence[str]:
        if target.addresses is None:
            return ()
        message = target.message
        hit = {
            recipient.address
            for part in _filters(target, retry=retry)
            for recipient in message.recipients
            # A cancellation also hits recipients that were delivered or have failed.
            if _matches(part, recipient, by_domain=retry and message.by_domain) and (recipient.is_pending or not retry)
        }
        return sorted(hit - target.addresses)

    async def retry(self, target: Target, at: datetime | None) -> Answer:
        time = {} if at is None else {"at": rfc3339(at)}
        return await self._change(OperatorEndpoint.RETRY, target, time, _filters(target, retry=True))

    async def cancel(self, target: Target) -> Answer:
        return await self._change(OperatorEndpoint.CANCEL, target, {}, _filters(target, retry=False))

    async def wake(self, message: QueuedMessage) -> Answer:
        due_at = message.next_retry_at()
        # At its own time, so that nothing changes but for the event.
        return await self.retry(Target(message), due_at if due_at and due_at > self._clock.now() else None)

    async def fetch_running(self) -> bool | None:
        try:
            return parse_changed(await self._transport.request(Endpoint.QUEUE_STATUS))
        except TargetUnsupported:
            return None

    async def pause(self) -> None:
        parse_changed(await self._transport.request(OperatorEndpoint.PAUSE))

    async def resume(self) -> None:
        parse_changed(await self._transport.request(OperatorEndpoint.RESUME))

    async def _page(self, cursor: int, rows: int) -> list[QueuedMessage] | None:
        """Fetch the messages from *cursor* on; ``None`` if the page was too large, and the next will be smaller."""
        params: dict[str, str | int] = {"values": 1, "limit": rows, "max-total": rows}
        try:
            page = parse_page(
                await self._transport.request(
                    Endpoint.QUEUE_MESSAGES, params={**params, "range-start": cursor} if cursor else params
                )
            )
        except PayloadTooLarge:
            if rows == 1:
                raise
            self._rows = rows // 2
            return None
        ids = [int(message.id) for message in page]
        if ids != sorted(set(ids)) or (ids and ids[0] < cursor) or len(ids) > rows:
            raise PayloadError("data.items: not the page that was requested; a proxy drops the query")
        return page

    async def _one(self, id_: str) -> QueuedMessage | None:
        try:
            message = parse_message(await self._transport.request(OperatorEndpoint.MESSAGE, path_args=(id_,)))
        except TargetUnsupported:
            return None
        if message.id != id_:
            raise PayloadError("data.id: of another message")
        return message

    async def _change(
        self, call: OperatorEndpoint, target: Target, params: Mapping[str, str], filters: Sequence[str]
    ) -> Answer:
        """Send one request, or one for each of *filters*; the first that is not accepted ends it."""
        if target.addresses is not None and not filters:
            raise ValueError("no recipient is named")
        for chosen in [{"filter": part} for part in filters] if target.addresses is not None else [{}]:
            try:
                body = await self._transport.request(call, params={**params, **chosen}, path_args=(target.message.id,))
            except TargetUnsupported:
                return NOT_FOUND
            if not parse_changed(body):
                return Answer(Verdict.REFUSED, "the server found no recipient to change")
        return ACCEPTED


def _filters(target: Target, *, retry: bool) -> list[str]:
    """Return the fewest substrings that cover the addresses, shortest first."""
    by_domain = target.message.by_domain
    parts = {_domain(address) if retry and by_domain else address for address in target.addresses or ()}
    # Up to v0.12 the server compares with the address in lower case.
    parts = {part.lower() for part in parts} if by_domain else parts
    chosen: list[str] = []
    for part in sorted(parts, key=lambda part: (len(part), part)):
        if not any(shorter in part for shorter in chosen):
            chosen.append(part)
    return chosen


def _matches(part: str, recipient: QueuedRecipient, *, by_domain: bool) -> bool:
    # Without regard to case, as some releases compare: at worst somebody is counted as hit who would not be.
    return part.lower() in (_domain(recipient.address) if by_domain else recipient.address).lower()


def _domain(address: str) -> str:
    return address.rpartition("@")[2]
