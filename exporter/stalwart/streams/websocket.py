"""
A WebSocket client that reads the handshake's response head before anything else.

Servers may respond to the handshake with an endless ``200 text/event-stream``; a client that reads the whole body of a
failed handshake would wait for as long as the stream lasts. Therefore this module does the I/O and reads the head, and
uses the library's sans-I/O protocol for everything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from exporter.errors import PayloadError, TargetTimeout, TargetUnreachable
from exporter.stalwart.http.network import HEAD_BYTES, first_connected
from exporter.stalwart.http.network_errors import CLOSED, translate
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.responses import SMALL_BYTES

PIECE_BYTES = 1024
"""The most bytes read and parsed without yielding: hundreds of the smallest frames."""

SEND_SECONDS = 10.0
"""How long the server may leave our frames unread; these are the pongs to its pings."""

CLOSE_SECONDS = 1.0
BODY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class OrdinaryAnswer:
    """
    An ordinary HTTP response to the handshake.

    Attributes:
        headers: By name in lower case.
        body: A short body that arrived in time, else empty; always empty for an event stream.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The ``Content-Type`` as sent."""
        return self.headers.get("content-type", "")


class WebSocketStream:
    """An open WebSocket; messages are returned as bytes."""

    transport = "websocket"

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol, label: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = protocol
        self._label = label
        self._partial = bytearray()

    async def receive(self) -> Sequence[bytes]:
        """Return the messages received; none for a ping or part of a message."""
        messages = self._messages()
        if messages:
            return messages
        await asyncio.sleep(0)  # Buffered data is read without yielding.
        try:
            piece = await self._reader.read(PIECE_BYTES)
        except OSError as error:
            raise TargetUnreachable(f"{self._label}: the stream was interrupted") from error
        if piece:
            self._protocol.receive_data(piece)
        else:
            self._protocol.receive_eof()
        await self._answer()
        messages = self._messages()
        if not messages and (not piece or self._protocol.close_expected()):
            self._raise_end()
        return messages

    async def aclose(self) -> None:
        """Close the connection, after a close frame if possible."""
        with contextlib.suppress(WebSocketException, OSError):
            self._protocol.send_close()
            self._write()
        await close_connection(self._writer)

    async def _answer(self) -> None:
        """Send the protocol's pending frames; raise `TargetTimeout` if the server does not read them."""
        self._write()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._writer.drain()
        except TimeoutError as error:
            raise TargetTimeout(f"{self._label}: the server does not read our WebSocket pongs") from error
        except OSError as error:
            raise TargetUnreachable(f"{self._label}: the stream was interrupted") from error

    def _write(self) -> None:
        for data in self._protocol.data_to_send():
            if data and not self._writer.is_closing():
                self._writer.write(data)

    def _messages(self) -> list[bytes]:
        messages = []
        for event in self._protocol.events_received():
            if isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._partial += event.data
                if event.fin:
                    messages.append(bytes(self._partial))
                    self._partial.clear()
        return messages

    def _raise_end(self) -> None:
        sent = self._protocol.close_sent
        if sent is not None and sent.code == 1009:
            raise PayloadError(f"{self._label}: a message exceeds the size limit")
        raise TargetUnreachable(f"{self._label}: the server ended the stream")


async def open_websocket(
    url: str,
    *,
    label: str,
    tls: ssl.SSLContext | None,
    connect_timeout_seconds: float,
    answer_timeout_seconds: float,
    most_bytes: int,
    user_agent: str,
    resolver: Resolver,
) -> WebSocketStream | OrdinaryAnswer:
    """
    Request a WebSocket at *url* (``http`` or ``https``).

    Raises `TargetUnreachable`, `TargetTLSError`, `TargetTimeout`, and `PayloadError` for an invalid response.
    """
    uri = parse_uri("ws" + url.removeprefix("http"))
    reader, writer = await _connect(
        resolver, uri.host, uri.port, tls if uri.secure else None, label, connect_timeout_seconds
    )
    try:
        protocol = ClientProtocol(uri, max_size=most_bytes)
        request = protocol.connect()
        request.headers["User-Agent"] = user_agent
        protocol.send_request(request)
        if not writer.is_closing():  # On a closed connection uvloop raises RuntimeError; the read below reports it.
            writer.writelines(protocol.data_to_send())
        async with asyncio.timeout(answer_timeout_seconds):
            head = await reader.readuntil(b"\r\n\r\n")
        status, headers = _parse_head(head, label)
        if status != 101:
            answer = OrdinaryAnswer(status, headers, await _small_body(reader, headers))
            await close_connection(writer)
            return answer
        protocol.receive_data(head)
        _check_handshake(protocol, label)
    except TimeoutError as error:
        await close_connection(writer)
        raise TargetTimeout(f"{label}: no response within the deadline") from error
    except (asyncio.IncompleteReadError, OSError) as error:
        await close_connection(writer)
        raise TargetUnreachable(f"{label}: the server {CLOSED}") from error
    except asyncio.LimitOverrunError as error:
        await close_connection(writer)
        raise PayloadError(f"{label}: the response head exceeds the size limit") from error
    except BaseException:
        await close_connection(writer)
        raise
    return WebSocketStream(reader, writer, protocol, label)


async def close_connection(writer: asyncio.StreamWriter) -> None:
    """Close the connection; drop data that the peer does not read, which would keep it open."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except (OSError, TimeoutError):
        writer.transport.abort()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _connect(
    resolver: Resolver, host: str, port: int, tls: ssl.SSLContext | None, label: str, seconds: float
) -> Connection:
    async def connect(address: str) -> Connection:
        # The certificate is verified against the host name, not the address.
        name = host if tls is not None else None
        return await asyncio.open_connection(address, port, ssl=tls, server_hostname=name, limit=HEAD_BYTES)

    async def close(connection: Connection) -> None:
        await close_connection(connection[1])

    try:
        addresses = await resolver.addresses(host, timeout_seconds=seconds)
        async with asyncio.timeout(seconds):
            return await first_connected(addresses, connect, close)
    except TimeoutError as error:
        raise TargetTimeout(f"{label}: no connection within the deadline") from error
    except OSError as error:
        trouble = httpx.ConnectError("no connection")
        trouble.__cause__ = error
        raise translate(trouble, endpoint=label, answering=False, seconds=seconds).error from error


def _parse_head(head: bytes, label: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not version.startswith("HTTP/1.") or not code.isdecimal():
        raise PayloadError(f"{label}: did not answer in HTTP")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(code), headers


async def _small_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("content-type", "").lower().startswith("text/event-stream"):
        return b""
    length = headers.get("content-length", "")
    if not length.isdecimal() or int(length) > SMALL_BYTES:
        return b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await reader.readexactly(int(length))
    except (TimeoutError, asyncio.IncompleteReadError, OSError):
        return b""


def _check_handshake(protocol: ClientProtocol, label: str) -> None:
    events = protocol.events_received()
    accepted = any(isinstance(event, Response) for event in events)
    if not accepted or protocol.handshake_exc is not None:
        raise PayloadError(f"{label}: invalid response to the WebSocket handshake")
