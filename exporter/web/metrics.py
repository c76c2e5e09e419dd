"""``/metrics``: returns the prepared exposition."""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from exporter.web.interfaces import MetricsSource
from exporter.web.negotiation import negotiate

_FIXED_HEADERS = [(b"vary", b"Accept, Accept-Encoding"), (b"x-content-type-options", b"nosniff")]


class MetricsEndpoint:
    """
    An ASGI application for GET and HEAD, without the framework's request and response objects.

    A response of one megabyte must cost no more than copying it to the socket.
    """

    def __init__(self, source: MetricsSource) -> None:
        self._source = source

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fmt, gzip = negotiate(*_accepted(scope))
        body, content_type = self._source.exposition(fmt, gzip)
        headers = [
            (b"content-type", content_type.encode("latin-1")),
            (b"content-length", b"%d" % len(body)),
            *_FIXED_HEADERS,
        ]
        if gzip:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _accepted(scope: Scope) -> tuple[bytes, bytes]:
    accept, encoding = [], []
    for name, value in scope["headers"]:
        if name == b"accept":
            accept.append(value)
        elif name == b"accept-encoding":
            encoding.append(value)
    return b",".join(accept), b",".join(encoding)
