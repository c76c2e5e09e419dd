"""Writes messages of the live streams to a connection, with optional faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from exporter.simulator.common.live_hub import Channel, Message, StreamCut, sse_frame
from exporter.simulator.harness.faults import Fault, FaultKind

Scope = MutableMapping[str, Any]
SendBody = Callable[[bytes], Awaitable[None]]


class Writer(Protocol):
    """A connection that carries a stream."""

    async def send(self, message: Message) -> None:
        """Send a message."""

    async def send_raw(self, data: bytes) -> None:
        """Send raw bytes of the framing."""

    def framed(self, message: Message) -> bytes:
        """Return a message as sent over the wire."""

    async def end(self) -> None:
        """End the stream normally."""

    def abort(self) -> None:
        """Break the connection after written data was sent."""


async def play(channel: Channel, writer: Writer, fault: Fault | None) -> None:
    """Send a channel's messages until it ends; a fault takes effect after its number of messages."""
    sent = 0
    try:
        async for message in channel:
            if fault is not None and sent >= fault.messages:
                if not await _spoil(message, writer, fault):
                    return
            else:
                await writer.send(message)
            sent += 1
    except StreamCut:
        writer.abort()
        return
    await writer.end()


async def _spoil(message: Message, writer: Writer, fault: Fault) -> bool:
    """Send a message with a fault; return false if nothing may follow."""
    framed = writer.framed(message)
    match fault.kind:
        case FaultKind.STREAM_CUT:
            await writer.send_raw(framed[: len(framed) // 2])
            writer.abort()
            return False
        case FaultKind.STREAM_END:
            await writer.end()
            return False
        case FaultKind.STREAM_SILENCE:
            await asyncio.Event().wait()
        case FaultKind.STREAM_DUPLICATE:
            await writer.send(message)
            await writer.send(message)
        case FaultKind.STREAM_GARBAGE:
            await writer.send(Message(message.name, fault.body.encode() or b'{"no": "such thing"}'))
        case FaultKind.DRIP:
            for byte in framed:
                await writer.send_raw(bytes((byte,)))
                await asyncio.sleep(fault.seconds)
        case _:
            await writer.send(message)
    return True


class SseWriter:
    """Server-Sent Events in the body of an HTTP response."""

    def __init__(self, transport: asyncio.Transport, body: SendBody, finish: Callable[[], Awaitable[None]]) -> None:
        self._transport = transport
        self._body = body
        self._finish = finish

    async def send(self, message: Message) -> None:
        """Send a message."""
        await self._body(sse_frame(message))

    async def send_raw(self, data: bytes) -> None:
        """Send raw bytes of the framing."""
        await self._body(data)

    def framed(self, message: Message) -> bytes:
        """Return a message as sent over the wire."""
        return sse_frame(message)

    async def end(self) -> None:
        """End the response."""
        await self._finish()

    def abort(self) -> None:
        """Close the connection without the end of the response."""
        self._transport.close()


class WebSocketWriter:
    """A WebSocket; created by `upgrade`."""

    def __init__(self, transport: asyncio.Transport, protocol: ServerProtocol) -> None:
        self._transport = transport
        self._protocol = protocol

    def receive(self, data: bytes) -> None:
        """Process bytes from the client."""
        self._protocol.receive_data(data)
        self._flush()
        if self._protocol.close_expected():
            self._transport.close()

    async def send(self, message: Message) -> None:
        """Send a message."""
        self._protocol.send_text(message.data)
        self._flush()

    async def send_raw(self, data: bytes) -> None:
        """Send raw bytes of the framing."""
        self._transport.write(data)

    def framed(self, message: Message) -> bytes:
        """Return a message as sent over the wire."""
        self._protocol.send_text(message.data)
        return b"".join(self._protocol.data_to_send())

    async def end(self) -> None:
        """Send a close frame."""
        self._protocol.send_close(1000)
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Close the connection without a close frame."""
        self._transport.close()

    def _flush(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(b"".join(self._protocol.data_to_send()))


def wants_websocket(scope: Scope) -> bool:
    """Return whether a request is a WebSocket handshake."""
    return any(name == b"upgrade" and value.lower() == b"websocket" for name, value in scope["headers"])


def upgrade(scope: Scope) -> WebSocketWriter:
    """Accept a handshake and switch the connection to WebSocket."""
    headers = Headers((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
    protocol = ServerProtocol()
    protocol.send_response(protocol.accept(Request(scope["raw_path"].decode("ascii"), headers)))
    connection, transport = scope["state"]["connection"], scope["state"]["transport"]
    writer = WebSocketWriter(transport, protocol)
    connection.reader = writer.receive
    transport.write(b"".join(protocol.data_to_send()))
    return writer
