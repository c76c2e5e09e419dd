"""The ASGI layer of the simulated server: records requests, applies faults, and sends responses."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import Any

from exporter.simulator.common.live_hub import Channel, SseBody
from exporter.simulator.common.parameters import Request
from exporter.simulator.common.responses import Answer, problem
from exporter.simulator.harness.api import Api
from exporter.simulator.harness.faults import Fault, FaultBox, FaultKind
from exporter.simulator.harness.stream_writer import SseWriter, Writer, play, upgrade, wants_websocket
from exporter.simulator.jmap.api import changes_something
from exporter.simulator.rest.other import is_harmful
from exporter.simulator.world.accounts.api_keys import key_holder
from exporter.simulator.world.accounts.auth import Credentials, parse_authorization
from exporter.simulator.world.world import World

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MAX_BODY = 10_000_000
MAX_RECORDS = 200_000


@dataclass(slots=True)
class RequestRecord:
    """
    One request as it arrived.

    Attributes:
        target: Path with query, as sent.
        identity: The login name, or `none`.
        scheme: `none`, `basic`, `api-key`, `jmap-key` or `other`.
        time: Unix seconds, by the simulated clock.
        status: None before the response, or if the connection was closed instead.
        harmful: Whether it would have changed something that no monitor may change.
        calls: The JMAP methods it called; empty if its body was not read.
    """

    method: str
    target: str
    identity: str
    scheme: str
    time: float
    status: int | None = None
    harmful: bool = False
    calls: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]


class Front:
    """
    The ASGI application.

    Attributes:
        requests: Every request in order of arrival; beyond `MAX_RECORDS` the oldest are dropped.
        running: Cleared while the server hangs: requests are read but not answered.
        errors: Exceptions of the simulator itself; must stay empty.
        on_ban: Called with an address when it is banned.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = Api(world)
        self.faults = FaultBox()
        self.requests: deque[RequestRecord] = deque(maxlen=MAX_RECORDS)
        self.running = asyncio.Event()
        self.running.set()
        self.errors: list[Exception] = []
        self._under_way: Counter[str] = Counter()
        self.on_ban: Callable[[str], None] = lambda ip: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        request = await _read(scope, receive)
        record = self._record(request)
        most = self.world.profile.concurrent_requests
        request.crowded = self._under_way[record.identity] >= most
        self._under_way[record.identity] += 1
        try:
            await self._respond(scope, receive, send, request, record)
        finally:
            self._under_way[record.identity] -= 1

    async def _respond(
        self, scope: Scope, receive: Receive, send: Send, request: Request, record: RequestRecord
    ) -> None:
        await self.running.wait()
        fault = self.faults.take(request.method, request.path, request.query)
        if fault is not None and fault.kind is FaultKind.HANG:
            await _until_gone(receive)
            return
        answer = await self._answer(request, fault)
        record.calls = request.calls
        if answer is None:
            scope["state"]["transport"].abort()
            await _until_gone(receive)
            return
        sender = _Sender(scope, receive, send, self.world.clock.now)
        if isinstance(answer.stream, SseBody) and fault is not None and fault.kind is FaultKind.GARBAGE:
            answer.stream.channel.close()
        elif isinstance(answer.stream, SseBody):
            websocket = self.world.profile.live_websocket and wants_websocket(scope)
            record.status = 101 if websocket else answer.status
            await sender.stream(answer, answer.stream.channel, fault, websocket=websocket)
            return
        record.status = answer.status
        await sender.send(answer, fault)
        if self.world.gate.is_banned(request.ip):
            self.on_ban(request.ip)

    def _record(self, request: Request) -> RequestRecord:
        given = parse_authorization(request.authorization)
        record = RequestRecord(
            method=request.method,
            target=request.path + (f"?{request.query}" if request.query else ""),
            identity=self._identity(given),
            scheme=given.scheme,
            time=self.world.clock.now(),
            harmful=is_harmful(request.method, request.path)
            or changes_something(request.method, request.path, request.body),
        )
        self.requests.append(record)
        return record

    def _identity(self, given: Credentials) -> str:
        holder = key_holder(self.world.directory, given.secret) if given.scheme == "jmap-key" else None
        return holder.name if holder is not None else given.name or "none"

    async def _answer(self, request: Request, fault: Fault | None) -> Answer | None:
        """Return the response to send; None closes the connection without a byte."""
        if fault is not None:
            if fault.kind is FaultKind.CLOSE:
                return None
            if fault.kind is FaultKind.DELAY:
                await asyncio.sleep(fault.seconds)
            replacement = fault.replacement()
            if replacement is not None:
                return replacement
        try:
            answer = self.api.answer(request)
            return fault.spoil(answer) if fault is not None else answer
        except Exception as error:  # noqa: BLE001 -- kept, and raised when the simulator is closed
            self.errors.append(error)
            return problem(500, "Internal Server Error", str(error))


async def _read(scope: Scope, receive: Receive) -> Request:
    body = b""
    while (message := await receive())["type"] == "http.request":
        body += message["body"][: MAX_BODY + 1 - len(body)]
        if not message["more_body"]:
            break
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(
        method=scope["method"],
        path=scope["raw_path"].decode("ascii"),
        query=scope["query_string"].decode("latin-1"),
        authorization=headers.get("authorization"),
        ip=scope["client"][0],
        body=body,
        content_type=headers.get("content-type", ""),
        span=scope["state"]["span"],
    )


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Sender:
    """Sends one response, whole or with a fault."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, now: Callable[[], float]) -> None:
        self._scope = scope
        self._now = now
        self._transport: asyncio.Transport = scope["state"]["transport"]
        self._receive = receive
        self._send = send

    async def send(self, answer: Answer, fault: Fault | None) -> None:
        """Send a response."""
        kind = fault.kind if fault is not None else None
        if fault is not None and kind is FaultKind.GARBAGE:
            self._transport.write(fault.body.encode() or bytes(range(256)))
            await self._close()
            return
        await self._start(answer)
        if kind is FaultKind.CUT:
            await self._body(answer.body[: len(answer.body) // 2], more=True)
            await self._close()
        elif fault is not None and kind is FaultKind.DRIP:
            await self._drip(answer.body, fault.seconds)
        elif answer.stream is not None:
            await self._stream(answer)
        else:
            await self._body(answer.body)

    async def stream(self, answer: Answer, channel: Channel, fault: Fault | None, *, websocket: bool) -> None:
        """Send a live stream until it ends or the client disconnects."""
        if websocket:
            writer: Writer = upgrade(self._scope)
        else:
            await self._start(answer)
            writer = SseWriter(self._transport, partial(self._body, more=True), partial(self._body, b""))
        playing = asyncio.create_task(play(channel, writer, fault), name="live stream")
        leaving = asyncio.create_task(_until_gone(self._receive), name="live stream's client")
        try:
            await asyncio.wait((playing, leaving), return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
                if websocket or self._transport.is_closing():
                    await leaving
        finally:
            channel.close()
            for task in (playing, leaving):
                task.cancel()
            await asyncio.gather(playing, leaving, return_exceptions=True)

    async def _start(self, answer: Answer) -> None:
        headers = [*answer.headers, ("date", formatdate(int(self._now()), usegmt=True))]
        if answer.status != 204:
            headers.append(("content-type", answer.content_type))
        if answer.stream is None:
            headers.append(("content-length", str(len(answer.body))))
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": raw})

    async def _body(self, body: bytes, *, more: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def _drip(self, body: bytes, seconds: float) -> None:
        for byte in body:
            await self._body(bytes((byte,)), more=True)
            await asyncio.sleep(seconds)
            if self._transport.is_closing():
                return
        await self._body(b"")

    async def _stream(self, answer: Answer) -> None:
        await self._body(answer.body, more=True)
        if answer.stream is not None:
            async for chunk in answer.stream:
                await self._body(chunk, more=True)
                if self._transport.is_closing():
                    break
        await self._body(b"")

    async def _close(self) -> None:
        """Close the connection after all written data was sent."""
        self._transport.close()
        await _until_gone(self._receive)
