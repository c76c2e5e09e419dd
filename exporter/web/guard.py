"""Access control in front of every page: authentication, rate limit, and the configured headers."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Collection, Mapping

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.access import is_beyond_limit, is_loopback, limit_to_domain, mark_logged_in
from exporter.web.config.basic_auth import Authenticator, TooManyLogins, login_name
from exporter.web.config.document import WebConfig
from exporter.web.rate_limit import TokenBucket

HEALTH_PATH = "/-/healthy"

REFUSAL_SECONDS = 0.5
"""Delay of the response to a wrong login, so that guessing passwords one by one is slow."""

_PLAIN = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="stalwart-exporter", charset="UTF-8"', **_PLAIN}
_TRY_LATER = {"Retry-After": "5", **_PLAIN}


_TENANT_WORDS = "this login sees the mail of one domain only, on /mail\n"


class Guard:
    """
    An ASGI middleware that applies a web configuration.

    `HEALTH_PATH` is available from this machine without a login and regardless of the rate limit: it only reports that
    the process is serving, and a health check has no password.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: WebConfig,
        *,
        open_paths: Collection[str] = (),
        tenants: Mapping[str, str] | None = None,
    ) -> None:
        """*open_paths* are available without a login; *tenants* are logins that may see the mail of one domain only."""
        self._app = app
        self._tenants = dict(tenants or {})
        self._open_paths = frozenset(open_paths)
        self._authenticator: Authenticator | None = None
        self._bucket: TokenBucket | None = None
        self._requires_certificate = True
        self.use(config)

    def use(self, config: WebConfig) -> None:
        """Replace the configuration for all following requests."""
        self._headers = config.headers
        # Connections stay open over a reload: a certificate is proof only if it has been required from the start.
        self._requires_certificate &= config.tls is not None and config.tls.client_auth is ssl.CERT_REQUIRED
        if self._authenticator is not None and config.users:
            self._authenticator.use(config.users)
        else:
            self._authenticator = Authenticator(config.users) if config.users else None
        if self._bucket is None or self._bucket.limit != config.rate_limit:
            self._bucket = TokenBucket(config.rate_limit, monotonic=time.monotonic) if config.rate_limit else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._headers:
            send = _with_headers(send, self._headers)
        if scope["path"] == HEALTH_PATH and is_from_this_machine(scope):
            await self._app(scope, receive, send)
            return
        refusal = await self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        """Return the response to a request without access; ``None`` if access is granted."""
        if self._bucket is not None and not self._bucket.admits():
            return PlainTextResponse("too many requests\n", 429, headers=_TRY_LATER)
        authorization = _authorization(scope)
        try:
            if await self._is_admitted(scope, authorization):
                return PlainTextResponse(_TENANT_WORDS, 403, headers=_PLAIN) if is_beyond_limit(scope) else None
            refusal = PlainTextResponse("unauthorized\n", 401, headers=_CHALLENGE)
        except TooManyLogins:
            refusal = PlainTextResponse("too many logins to check\n", 429, headers=_TRY_LATER)
        if authorization is not None:
            await asyncio.sleep(REFUSAL_SECONDS)
        return refusal

    async def _is_admitted(self, scope: Scope, authorization: bytes | None) -> bool:
        """Return whether a request has access; raises `TooManyLogins`."""
        if self._requires_certificate:
            mark_logged_in(scope)
        if self._authenticator is None or scope["path"] in self._open_paths:
            return True
        address = scope["client"][0] if scope["client"] else ""
        if not await self._authenticator.allows(authorization, address=address):
            return False
        domain = self._tenants.get(login_name(authorization))
        if domain is not None:
            limit_to_domain(scope, domain)
        mark_logged_in(scope)
        return True


def is_from_this_machine(scope: Scope) -> bool:
    """Return whether a request came over loopback, or from the same address of this machine that it was sent to."""
    if not scope["client"] or not scope["server"]:
        return False
    client = scope["client"][0]
    return client == scope["server"][0] or is_loopback(client)


def _authorization(scope: Scope) -> bytes | None:
    """Return the header's value; ``None`` if it is missing or repeated."""
    values: list[bytes] = [value for name, value in scope["headers"] if name == b"authorization"]
    return values[0] if len(values) == 1 else None


def _with_headers(send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> Send:
    """Add the configured headers, which replace those of the page."""
    names = {name for name, _ in headers}

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [header for header in message["headers"] if header[0] not in names]
            message = {**message, "headers": [*kept, *headers]}
        await send(message)

    return send_with_headers
