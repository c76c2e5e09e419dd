"""
The receiver of webhook posts.

A post is answered with success once its body is committed; the server then forgets its events. A slow answer makes the
server hold back what happens meanwhile, so nothing is decoded here. A post without a valid signature is refused in the
same way for every reason, and no later than its body allows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.clock import Clock
from exporter.errors import StoreError
from exporter.stalwart.webhooks.signature import HEADER, BodySignature, parse_signature
from exporter.state.webhooks import (
    BUSY,
    FORGED,
    FULL,
    INCOMPLETE,
    NOT_STORED,
    REPEATED,
    REPLAYED,
    STORED,
    TOO_LARGE,
    UNSIGNED,
)
from exporter.store.webhooks.inbox import WebhookInbox
from exporter.store.webhooks.spool import MEMORY_BYTES, BodySpool
from exporter.web.serving.protocol import TAKEN

log = structlog.get_logger("exporter.webhooks")

MAX_POSTS = 8
"""Posts of one server that are received at the same time; each node of a cluster has one under way."""

MAX_LARGE_POSTS = 2
"""Those among them with bodies beyond `MEMORY_BYTES`, which are received into a file."""

REPEAT_SECONDS = 600
"""How long after its first arrival the same body may come again because the answer was lost; later it is a replay."""

ANSWER_CHECKS = 20
ANSWER_CHECK_SECONDS = 0.05

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_AGAIN = {"Retry-After": "1", **_HEADERS}
_STATUS = {UNSIGNED: 401, FORGED: 401, REPLAYED: 401, TOO_LARGE: 413, BUSY: 503, FULL: 503, NOT_STORED: 503}
_WORDS = {401: "unauthorized\n", 413: "the body is too large\n", 503: "try again later\n"}
_HEADER = HEADER.encode()


class Feed(Protocol):
    """Receives the outcome of each post of one server."""

    def received(self, result: str) -> None:
        """Record what became of a post."""

    def answered(self, body: int) -> None:
        """Record that the server has received the answer to a post."""


@dataclass(slots=True)
class Target:
    """
    One server's webhook.

    Attributes:
        key: The configured signature key.
        max_backlog_bytes: Disk space for posts that are not yet counted.
        receiving, large: Posts under way, and those among them with large bodies.
    """

    key: str
    inbox: WebhookInbox
    feed: Feed
    max_body_bytes: int
    max_backlog_bytes: int
    receiving: int = 0
    large: int = 0


FindTarget = Callable[[str], Target | None]


class WebhookReceiver:
    """An ASGI application for the posts; what is not for a known path goes to *otherwise*."""

    def __init__(self, find: FindTarget, *, clock: Clock, otherwise: ASGIApp | None = None) -> None:
        self._find = find
        self._clock = clock
        self._otherwise = otherwise or PlainTextResponse("not found\n", 404, headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = self._find(scope["path"])
        if target is None:
            await self._otherwise(scope, receive, send)
        elif scope["method"] != "POST":
            answer = PlainTextResponse("post here\n", 405, headers={"Allow": "POST", **_HEADERS})
            await answer(scope, receive, send)
        else:
            await self._receive(target, scope, receive, send)

    async def _receive(self, target: Target, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal(target, scope)
        if refusal:
            result, body = refusal, 0
        else:
            target.receiving += 1
            try:
                result, body = await self._take(target, scope, receive)
            finally:
                target.receiving -= 1
        if result == INCOMPLETE:
            target.feed.received(result)
            return
        await _answer(result)(scope, receive, send)
        if body and await _is_taken(scope):
            target.feed.answered(body)
        target.feed.received(result)

    async def _take(self, target: Target, scope: Scope, receive: Receive) -> tuple[str, int]:
        """Receive and store a body; return the result and the number of the body."""
        with BodySpool(target.inbox.directory) as spool:
            try:
                result, digest = await _read_body(target, scope, receive, spool)
                if result:
                    return result, 0
                at = int(self._clock.now().timestamp())
                post = await target.inbox.add(digest, spool, at=at)
            except (OSError, StoreError) as error:
                log.warning("webhook.store_failed", error=str(error))
                return NOT_STORED, 0
        if post.is_new:
            return STORED, post.body
        return (REPEATED, post.body) if abs(at - post.first_at) <= REPEAT_SECONDS else (REPLAYED, 0)


def _refusal(target: Target, scope: Scope) -> str:
    """Return why a post is refused by its head alone; empty if its body is to be read."""
    signature = _header(scope, _HEADER)
    if signature is None:
        return UNSIGNED
    if parse_signature(signature) is None:
        return FORGED
    length = _header(scope, b"content-length") or b"0"
    if not length.isdigit() or int(length[:20]) > target.max_body_bytes:
        return TOO_LARGE
    if target.inbox.pending_bytes >= target.max_backlog_bytes:
        return FULL
    if target.receiving >= MAX_POSTS or (int(length) > MEMORY_BYTES and target.large >= MAX_LARGE_POSTS):
        return BUSY
    return ""


async def _read_body(target: Target, scope: Scope, receive: Receive, spool: BodySpool) -> tuple[str, bytes]:
    """Read the body into *spool*; return why it is refused, or an empty string, and its signature."""
    signature = BodySignature(target.key)
    is_large = False
    try:
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return INCOMPLETE, b""
            piece = message.get("body", b"")
            signature.update(piece)
            if spool.size_bytes + len(piece) > target.max_body_bytes:
                return TOO_LARGE, b""
            if not is_large and spool.size_bytes + len(piece) > MEMORY_BYTES:
                if target.large >= MAX_LARGE_POSTS:
                    return BUSY, b""
                is_large = True
                target.large += 1
            await spool.write(piece)
            if not message.get("more_body", False):
                break
    finally:
        target.large -= is_large
    wanted = parse_signature(_header(scope, _HEADER) or b"")
    if wanted is None or not signature.matches(wanted):
        return FORGED, b""
    return "", wanted


def _answer(result: str) -> PlainTextResponse:
    status = _STATUS.get(result, 200)
    headers = {**(_AGAIN if status == 503 else _HEADERS), **({} if status == 200 else {"Connection": "close"})}
    return PlainTextResponse(_WORDS.get(status, ""), status, headers=headers)


async def _is_taken(scope: Scope) -> bool:
    """Wait a moment for the client to receive the answer; return whether it did."""
    taken: Callable[[], bool | None] | None = scope.get("extensions", {}).get(TAKEN)
    for _ in range(ANSWER_CHECKS):
        state = taken() if taken is not None else False
        if state is not None:
            return state
        await asyncio.sleep(ANSWER_CHECK_SECONDS)
    return False


def _header(scope: Scope, name: bytes) -> bytes | None:
    """Return a header's value; ``None`` if it is missing or repeated."""
    values: list[bytes] = [value for header, value in scope["headers"] if header == name]
    return values[0] if len(values) == 1 else None
