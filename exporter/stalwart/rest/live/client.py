"""The live streams of servers from v0.10 to v0.15."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from exporter.errors import PayloadError, TargetUnreachable, TargetUnsupported
from exporter.model.live import StreamKind
from exporter.model.server import Generation
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.responses import decode_response
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.rest.live import messages as live
from exporter.stalwart.streams.decoder import StreamDecoder
from exporter.stalwart.streams.live_stream import LiveStream
from exporter.stalwart.streams.opening import StreamOpener

INTERVAL_SECONDS = 5
"""The interval of the metrics stream; a message is cheap for the server and costs the exporter one transaction."""

ENDPOINTS = {
    StreamKind.METRICS: (Endpoint.METRICS_TOKEN, Endpoint.LIVE_METRICS),
    StreamKind.TRACES: (Endpoint.TRACING_TOKEN, Endpoint.LIVE_TRACES),
}


class _Token(msgspec.Struct):
    data: str


_token = msgspec.json.Decoder(_Token)


class RestLiveClient:
    """
    The `LiveClient` of the REST generation; see there for the methods.

    Only the request for a token, over *transport*, carries credentials. `open` raises `TargetUnsupported` while
    *generation* returns another generation.
    """

    def __init__(self, transport: Transport, opener: StreamOpener, *, generation: Callable[[], Generation]) -> None:
        self._transport = transport
        self._opener = opener
        self._generation = generation

    async def open(self, kind: StreamKind) -> LiveStream:
        if self._generation() is not Generation.REST:
            raise TargetUnsupported(f"live_{kind.value}: not read from servers of this generation")
        token_endpoint, endpoint = ENDPOINTS[kind]
        try:
            answer = await self._transport.request(token_endpoint)
        except TargetUnreachable:
            # The server is down, and may return as another release.
            self._opener.forget()
            raise
        token = decode_response(_token, answer).data
        if not token:
            raise PayloadError(f"{token_endpoint.label}: data: an empty token")
        params: dict[str, str | int] = {"interval": INTERVAL_SECONDS} if kind is StreamKind.METRICS else {}
        stream = await self._opener.open(endpoint, token=token, params=params)
        return LiveStream(stream, stream_decoder(kind), name=f"live_{kind.value}")

    def forget_transport(self) -> None:
        self._opener.forget()

    async def aclose(self) -> None:
        await self._opener.aclose()


def stream_decoder(kind: StreamKind) -> StreamDecoder:
    """Return a decoder for one connection to the stream of this *kind*."""
    if kind is StreamKind.METRICS:
        return StreamDecoder(live.parse_metrics)
    return StreamDecoder(live.parse_traces, event_key=live.EVENT_KEY)
