"""The live streams of servers of v0.16 and newer."""

from __future__ import annotations

import re

from exporter.clock import Clock
from exporter.errors import PayloadError
from exporter.model.live import StreamKind
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.transport import Transport
from exporter.stalwart.jmap.client import JmapClient
from exporter.stalwart.jmap.live import messages as live
from exporter.stalwart.jmap.live.repeating_stream import RENEWAL_SECONDS, REPEATED_BYTES, RepeatingStream
from exporter.stalwart.jmap.live.spans import Spans
from exporter.stalwart.streams.decoder import StreamDecoder
from exporter.stalwart.streams.live_stream import LiveStream
from exporter.stalwart.streams.opening import StreamOpener
from exporter.stalwart.streams.stream import EventStream

INTERVAL_SECONDS = 5
"""The interval of the metrics stream; a message is cheap for the server and costs the exporter one transaction."""

ENDPOINTS = {
    StreamKind.METRICS: (Endpoint.JMAP_METRICS_TOKEN, Endpoint.JMAP_LIVE_METRICS),
    StreamKind.TRACES: (Endpoint.JMAP_TRACING_TOKEN, Endpoint.JMAP_LIVE_TRACES),
}

_TOKEN = re.compile(rb"[\x21-\x7e]{1,4096}")


class JmapLiveClient:
    """
    The `LiveClient` of the JMAP generation; see there for the methods.

    The streams would also accept credentials. Tokens keep those out of requests that a proxy may log and hold open for
    hours, and an expired token does not count towards a ban. The server's filters are not used: none selects events by
    name, and unknown ones are ignored. The server has no WebSocket; one is requested only if the settings force it, and
    then fails with a clear message.
    """

    def __init__(
        self,
        transport: Transport,
        opener: StreamOpener,
        client: JmapClient,
        *,
        clock: Clock,
        repeated_bytes: int = REPEATED_BYTES,
        renewal_seconds: float = RENEWAL_SECONDS,
    ) -> None:
        self._transport = transport
        self._opener = opener
        self._client = client
        self._clock = clock
        self._repeated_bytes = repeated_bytes
        self._renewal_seconds = renewal_seconds
        self._spans = Spans()

    async def open(self, kind: StreamKind) -> LiveStream:
        token_endpoint, endpoint = ENDPOINTS[kind]
        await self._client.require(endpoint.value.permission, what=endpoint.label)
        if kind is StreamKind.METRICS:
            # A stream is reopened after every restart of the server, which may be a different release then.
            await self._client.look_at_names()
        token = _parse_token(token_endpoint, await self._transport.request(token_endpoint))
        params: dict[str, str | int] = {"interval": INTERVAL_SECONDS} if kind is StreamKind.METRICS else {}
        stream = await self._opener.open(endpoint, token=token, params=params, offers_websocket=False)
        if kind is StreamKind.TRACES:
            stream = self._without_repetitions(stream, endpoint)
        return LiveStream(stream, self._decoder(kind), name=f"live_{kind.value}")

    def forget_transport(self) -> None:
        self._opener.forget()

    async def aclose(self) -> None:
        await self._opener.aclose()

    def _without_repetitions(self, stream: EventStream, endpoint: Endpoint) -> EventStream:
        return RepeatingStream(
            stream,
            label=endpoint.label,
            clock=self._clock,
            repeated_bytes=self._repeated_bytes,
            renewal_seconds=self._renewal_seconds,
        )

    def _decoder(self, kind: StreamKind) -> StreamDecoder:
        if kind is StreamKind.METRICS:
            # The names may become known while the stream is open.
            return StreamDecoder(lambda message: live.parse_metrics(message, self._client.names))
        return trace_decoder(self._spans)


def _parse_token(endpoint: Endpoint, body: bytes) -> str:
    """Parse a token, which is the whole body. Raises `PayloadError`, whose message never contains the token."""
    token = body.strip()
    if not _TOKEN.fullmatch(token):
        raise PayloadError(f"{endpoint.label}: not a token")
    return token.decode("ascii")


def trace_decoder(spans: Spans) -> StreamDecoder:
    """Return a decoder for one connection to the trace stream; *spans* outlives it."""
    return StreamDecoder(lambda message: live.parse_traces(message, spans), event_key=live.EVENT_KEY)
