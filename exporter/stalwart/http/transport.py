"""The connection to one server: allow-listed requests, throttled, with deadlines and credentials."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import ssl
import sys
from collections.abc import Callable, Collection, Mapping, Sequence

import httpcore
import httpx
import msgspec

from exporter.clock import Clock
from exporter.errors import PayloadTooLarge, TargetRefused, TargetUnsupported
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.credentials import Credentials
from exporter.stalwart.http.endpoint import EndpointTable, Login, ResponseForm, target_of
from exporter.stalwart.http.missing_features import MissingFeatures
from exporter.stalwart.http.network import BODY_PIECE_BYTES, HEAD_BYTES, NetworkTransport
from exporter.stalwart.http.network_errors import NETWORK_ERRORS, translate
from exporter.stalwart.http.observer import RequestObserver
from exporter.stalwart.http.reading import Reading
from exporter.stalwart.http.resolver import Resolver
from exporter.stalwart.http.responses import CredentialsRefused, RawResponse, check_response
from exporter.stalwart.http.server_clock import ServerClock
from exporter.stalwart.http.throttle import Throttle

MAX_BODY_BYTES = 64 * 1024 * 1024
KEEP_ALIVE_SECONDS = 5.0
"""Longer than the pause between two pages of a walk, shorter than the idle timeouts of servers and proxies."""

_HEADERS = {
    "Accept": "application/json, text/plain",
    "Accept-Encoding": "identity",
    "Connection": "keep-alive",
    "User-Agent": "stalwart-exporter",
}


class Transport:
    """
    The *allowed* requests to one server, sent one at a time; by default those of `Endpoint`.

    Refused credentials are not sent again: requests that need them raise `TargetRefused` without network access until
    `allow_retry` is called. Since there is one request at a time, a wrong password is sent only once.

    Attributes:
        base_url: ``https://host[:port]``, with the path if a proxy serves the server below one.
        connect_timeout_seconds: The limit for the connection and for its handshake.
        read_timeout_seconds: The longest pause within a response.
        total_timeout_seconds: The limit for a whole request, from when it is sent.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: Credentials | None,
        clock: Clock,
        throttle: Throttle,
        native_credentials: Credentials | None = None,
        tls: ssl.SSLContext | None = None,
        connect_timeout_seconds: float = 5.0,
        read_timeout_seconds: float = 10.0,
        total_timeout_seconds: float = 30.0,
        max_body_bytes: int = MAX_BODY_BYTES,
        observer: RequestObserver | None = None,
        server_clock: ServerClock | None = None,
        resolver: Resolver | None = None,
        allowed: Collection[EndpointTable] = frozenset(Endpoint),
    ) -> None:
        """Raise ``ValueError`` for an invalid URL. Without *tls* the system trust store is used."""
        self._base_url = _checked_base_url(base_url)
        self._credentials: Mapping[Login, Credentials | None] = {
            Login.NONE: None,
            Login.API: credentials,
            Login.NATIVE: native_credentials,
        }
        self._refused: set[Login] = set()
        self._allowed = allowed
        self._clock = clock
        self._throttle = throttle
        self._total_timeout_seconds = total_timeout_seconds
        self._max_body_bytes = max_body_bytes
        self._observer = observer
        self._server_clock = server_clock
        self._turn = asyncio.Lock()
        self._missing_features = MissingFeatures(clock)
        self._pardons = 0
        _prepare_libraries()
        self._extensions = {"timeout": httpx.Timeout(read_timeout_seconds, connect=connect_timeout_seconds).as_dict()}
        # Without the library's client: it adds redirects, cookies and logins, which are not wanted, to each request.
        self._network = NetworkTransport(
            resolver or Resolver(),
            verify=tls if tls is not None else _default_tls(self._base_url),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE_SECONDS),
        )

    @property
    def account_name(self) -> str | None:
        """The exporter's account name in the server's log; ``None`` if the credentials do not contain it."""
        credentials = self._credentials[Login.API]
        return credentials.account_name() if credentials is not None else None

    @property
    def has_native_login(self) -> bool:
        """Whether there are credentials for the server's own metrics page."""
        return self._credentials[Login.NATIVE] is not None

    def allow_retry(self) -> None:
        """Allow one more attempt with refused credentials, on an operator's request."""
        self._refused.clear()
        self._pardons += 1

    async def request(
        self,
        endpoint: EndpointTable,
        *,
        params: Mapping[str, str | int] | None = None,
        path_args: Sequence[str] = (),
        credentials: Login = Login.API,
        body: object = None,
    ) -> bytes:
        """
        Send a request and return the body of a successful response.

        Raises a `TargetError` for any other response, and ``ValueError`` for a request that is not in the allow-list.
        """
        if endpoint not in self._allowed:
            raise ValueError(f"{endpoint.label}: not in the allow-list of this connection")
        url = self._base_url + target_of(endpoint, params or {}, path_args)
        spec = endpoint.value
        is_stream = spec.answer is ResponseForm.STREAM
        if is_stream or credentials not in spec.logins or spec.has_body != (body is not None):
            raise ValueError(f"{endpoint.label}: not in the allow-list in this form")
        endpoint.check_body(body)
        self._usable(endpoint, credentials)
        self._missing_features.check(endpoint)
        async with self._turn:
            await self._throttle.wait()
            login = self._usable(endpoint, credentials)
            self._missing_features.check(endpoint)
            request = httpx.Request(
                spec.method,
                url,
                content=None if body is None else msgspec.json.encode(body),
                headers=_headers(login, has_body=body is not None),
                extensions=self._extensions,
            )
            pardons = self._pardons
            answer = await self._exchange(endpoint, request, login)
            try:
                check_response(endpoint, answer)
            except CredentialsRefused:
                # A reload while the response was on its way asks for one more attempt.
                if login is not None and pardons == self._pardons:
                    self._refused.add(credentials)
                raise
            except TargetUnsupported as error:
                self._missing_features.note(endpoint, error)
                raise
            self._missing_features.note_there(endpoint)
        return answer.body

    def forget_missing_features(self) -> None:
        """Request missing features again, since the server may be a different one now."""
        self._missing_features.forget()

    async def aclose(self) -> None:
        """Close the connection."""
        await self._network.aclose()

    def _usable(self, endpoint: EndpointTable, login: Login) -> Credentials | None:
        credentials = self._credentials[login]
        if credentials is None:
            if login is Login.NONE:
                return None
            raise TargetRefused(f"{endpoint.label}: not sent: no credentials are configured for it")
        if login in self._refused:
            raise TargetRefused(
                f"{endpoint.label}: not sent: the server refused these credentials before; "
                "they are not sent again until they change or an operator reloads"
            )
        return credentials

    def _learn_date_of(self, asked_at: float) -> Callable[[httpx.Headers], None]:
        """Return a callback that learns the server's time from response headers; *asked_at* in monotonic seconds."""

        def learn(headers: httpx.Headers) -> None:
            if self._server_clock is not None:
                self._server_clock.learn_date(headers.get("date", ""), asked_at=asked_at, age=headers.get("age", ""))

        return learn

    async def _exchange(
        self, endpoint: EndpointTable, request: httpx.Request, login: Credentials | None
    ) -> RawResponse:
        """Send a request and read the response within the deadline; report both to the observer."""
        started = self._clock.monotonic()
        reading = Reading(endpoint, self._max_body_bytes, self._learn_date_of(started))
        outcome = ""
        try:
            async with asyncio.timeout(self._total_timeout_seconds):
                await reading.run(self._network, request)
        except PayloadTooLarge:
            outcome = "too_large"
            raise
        except NETWORK_ERRORS as error:
            # Any status but 200 is conclusive without its body. Above all, a refusal must not be lost.
            if reading.status in (None, 200):
                trouble = translate(
                    error,
                    endpoint=endpoint.label,
                    answering=reading.status is not None,
                    seconds=self._clock.monotonic() - started,
                )
                outcome = trouble.status
                raise trouble.error from trouble.cause
        finally:
            if self._observer is not None:
                self._observer.request_finished(
                    endpoint=endpoint.label,
                    status=outcome or str(reading.status or "cut"),
                    seconds=self._clock.monotonic() - started,
                    response_bytes=reading.received,
                )
        return reading.answer(login)


def _headers(login: Credentials | None, *, has_body: bool) -> dict[str, str]:
    headers = _HEADERS if login is None else {**_HEADERS, "Authorization": login.authorization()}
    return {**headers, "Content-Type": "application/json"} if has_body else headers


def _default_tls(base_url: str) -> ssl.SSLContext | bool:
    """Return the system trust store; nothing for plain http, since loading the store takes megabytes."""
    return ssl.create_default_context() if base_url.startswith("https:") else False


def _checked_base_url(base_url: str) -> str:
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError) as error:
        raise ValueError("the server's url is invalid") from error
    if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.query or url.fragment:
        raise ValueError("the server's url must be http(s)://host[:port][/path], without credentials")
    return base_url.rstrip("/")


def _prepare_libraries() -> None:
    # Their debug lines contain URLs and headers, and add nothing to our own line about a failure.
    for name in ("httpx", "httpcore", "h11"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    # A page of the queue has megabytes, and each read passes through a dozen layers. At the library's 64 KiB, which has
    # no setting, that costs more than decoding the page. `MeteredStream` reads less where needed.
    httpcore.AsyncHTTP11Connection.READ_NUM_BYTES = BODY_PIECE_BYTES
    # The limit for an incomplete line, head or trailer.
    httpcore.AsyncHTTP11Connection.MAX_INCOMPLETE_EVENT_SIZE = HEAD_BYTES
    # Without this package the library searches the whole path for it several times per request.
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]  # the documented way to block an import
