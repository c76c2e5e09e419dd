"""Stands before every page: asks who comes, and adds the configured headers to every answer."""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.basic_auth import Authenticator
from exporter.web.web_config import WebConfig

_CHALLENGE = {
    "WWW-Authenticate": 'Basic realm="stalwart-exporter", charset="UTF-8"',
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """An ASGI application around another; health pages are behind it as well."""

    def __init__(self, app: ASGIApp, config: WebConfig) -> None:
        self._app = app
        self.use(config)

    def use(self, config: WebConfig) -> None:
        """Puts a configuration in force for the requests that come from now on."""
        self._headers = config.headers
        self._authenticator = Authenticator(config.users) if config.users else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._headers:
            send = _with_headers(send, self._headers)
        if self._authenticator is None or await self._authenticator.allows(_authorization(scope)):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse("unauthorized\n", 401, headers=_CHALLENGE)(scope, receive, send)


def _authorization(scope: Scope) -> bytes | None:
    """The header's value; ``None`` if it is absent or given more than once."""
    values: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    return values[0] if len(values) == 1 else None


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """What an operator configures replaces what a page sets by itself."""
    names = {name for name, _ in headers}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [header for header in message["headers"] if header[0] not in names]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return send_with_headers
