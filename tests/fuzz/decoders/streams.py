"""Live streams: their framing, and the messages of both generations."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri
from websockets.utils import accept_key

from exporter.errors import TargetUnreachable
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import target_of
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.jmap.live import messages as jmap_live
from exporter.stalwart.jmap.live.client import _parse_token as read_jmap_token
from exporter.stalwart.jmap.live.repeating_stream import Repetition
from exporter.stalwart.jmap.live.spans import Spans
from exporter.stalwart.jmap.schema import CounterNames
from exporter.stalwart.rest.live import messages as rest_live
from exporter.stalwart.rest.live.client import _token as rest_token
from exporter.stalwart.streams.sse import SseDecoder
from exporter.stalwart.streams.websocket import WebSocketStream, _parse_head
from tests.fuzz import samples
from tests.fuzz.decoder import Decoder, any_of, encoded
from tests.support.builders.outcomes import outcomes_of

MAX_MESSAGE_BYTES = 65_536


def decoders() -> Iterator[Decoder]:
    """Every decoder of a live stream."""
    yield Decoder("sse", _sse, lambda: [b'event: state\r\ndata: {"a":1}\r\ndata: 2\n\n: ping\n\nid: 1\rdata\r\r'])
    yield Decoder("websocket", _websocket, lambda: [_frames()], share=0.2)
    yield Decoder("live.rest_traces", _live_rest_traces, lambda: samples.live(samples.rest_hour()), share=2)
    yield Decoder("live.rest_metrics", rest_live.parse_metrics, lambda: [LIVE_METRICS, b'{"interval":30000}'])
    yield Decoder("live.jmap_traces", _live_jmap_traces, lambda: samples.live(samples.jmap_hour()), share=2)
    yield Decoder("live.jmap_metrics", _live_jmap_metrics, lambda: [LIVE_JMAP_METRICS, b'{"interval":30000}'])
    yield Decoder("live.repetition", _repetition, lambda: samples.live(samples.jmap_hour()))
    yield Decoder("stream.token", _token, lambda: TOKENS)
    yield Decoder("websocket.head", lambda head: _parse_head(head, "fuzz"), lambda: [HANDSHAKE])


def _sse(stream: bytes) -> object:
    decoder = SseDecoder(most_bytes=MAX_MESSAGE_BYTES)
    return [decoder.feed(stream[at : at + 7]) for at in range(0, len(stream), 7)]


class _Writer(asyncio.StreamWriter):
    """Takes what is sent, and sends it nowhere."""

    def __init__(self) -> None:
        """Needs no transport."""

    def __del__(self, *_: object) -> None:
        """Nothing is open."""

    def write(self, data: Any) -> None:
        """Drops *data*."""

    def writelines(self, data: Any) -> None:
        """Drops *data*."""

    async def drain(self) -> None:
        """There is always room."""

    def is_closing(self) -> bool:
        return False


def _websocket(stream: bytes) -> object:
    async def read() -> list[bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(stream)
        reader.feed_eof()
        protocol = _opened()
        socket = WebSocketStream(reader, _Writer(), protocol, "fuzz")
        messages: list[bytes] = []
        try:
            while True:
                messages += await socket.receive()
        except TargetUnreachable:
            if messages:
                return messages
            raise

    return asyncio.run(read())


def _opened() -> ClientProtocol:
    """A protocol behind its handshake."""
    protocol = ClientProtocol(parse_uri("ws://mx.test/"), max_size=MAX_MESSAGE_BYTES)
    request = protocol.connect()
    protocol.send_request(request)
    protocol.data_to_send()
    accepted = accept_key(request.headers["Sec-WebSocket-Key"])
    head = f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accepted}\r\n\r\n"
    protocol.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n" + head.encode())
    protocol.events_received()
    return protocol


def _frames() -> bytes:
    """What a server sends: a message, one in two parts, a ping and a close."""
    frames = (
        Frame(Opcode.TEXT, b'{"interval":30000}'),
        Frame(Opcode.PING, b"x"),
        Frame(Opcode.TEXT, b"[" + b" " * 200, fin=False),
        Frame(Opcode.CONT, b"]"),
        Frame(Opcode.CLOSE, b"\x03\xe8bye"),
    )
    return b"".join(frame.serialize(mask=False) for frame in frames)


def _live_rest_traces(message: bytes) -> object:
    read = rest_live.parse_traces(message)
    return outcomes_of(read.events) if hasattr(read, "events") else read


def _live_jmap_traces(message: bytes) -> object:
    read = jmap_live.parse_traces(message, Spans())
    return outcomes_of(read.events) if hasattr(read, "events") else read


def _live_jmap_metrics(message: bytes) -> object:
    return [jmap_live.parse_metrics(message, names) for names in CounterNames]


def _repetition(message: bytes) -> object:
    repetition = Repetition()
    longer = message[:-1] + b',{"event":"a.b"}]'
    return [repetition.take(part, "fuzz") for part in (message[:-1] + b" ]", message, longer, longer)]


def _token(body: bytes) -> object:
    """The token of either generation, and the address that it opens a stream with."""
    tokens = any_of(
        [
            lambda: decode_response(rest_token, body).data,
            lambda: read_jmap_token(Endpoint.JMAP_METRICS_TOKEN, body),
        ]
    )
    targets = [target_of(Endpoint.LIVE_METRICS, {"token": str(token)}, ()) for token in tokens if token]
    assert all(target.isascii() and target.isprintable() for target in targets)
    return targets


LIVE_METRICS = encoded(
    [
        {"id": "smtp.connection-start", "type": "counter", "value": 7},
        {"id": "server.memory", "type": "gauge", "value": 65_000_000},
        {"id": "message.size", "type": "histogram", "count": 3, "sum": 999},
    ]
)

LIVE_JMAP_METRICS = encoded(
    [
        {"metric": "smtp.connection-start", "@type": "Counter", "count": 7},
        {"metric": "message.size", "@type": "Histogram", "count": 3, "sum": 999},
    ]
)

TOKENS = [b'{"data":"v1.aGVsbG8-x_y"}', b"v1.aGVsbG8-x_y\n"]

HANDSHAKE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x=\r\n\r\n"
