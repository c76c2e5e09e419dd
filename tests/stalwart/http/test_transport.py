"""The one way to a server: what may be asked, what an answer means, and that nothing secret gets out."""

from __future__ import annotations

import contextlib

import pytest

from exporter.errors import (
    PayloadError,
    TargetBusy,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetUnsupported,
)
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import Login
from tests.support.servers.raw import (
    FORBIDDEN,
    GOOD,
    NAME,
    NATIVE_LOGIN,
    NOT_FOUND,
    SECRET,
    UNAUTHORIZED,
    Asked,
    Costs,
    Handler,
    always,
    close_at_once,
    cut_counted,
    error_of,
    needing_login,
    problem,
    raw_server,
    reply,
    run,
    talking,
    transport_to,
)

HTML = b"<!DOCTYPE html><html><body>Welcome to nginx</body></html>"


def test_good_answer_is_handed_over_as_it_came() -> None:
    """The body of a 200 comes back unchanged, and the request carries the login and wants no compression."""

    async def ask() -> tuple[bytes, Asked]:
        async with talking(needing_login(GOOD)) as (transport, server):
            return await transport.request(Endpoint.QUEUE_STATUS), server.asked[0]

    body, asked = run(ask())

    assert body == b'{"data": true}'
    assert (asked.method, asked.target, asked.login) == ("GET", "/api/queue/status", (NAME, SECRET))
    assert asked.headers["accept-encoding"] == "identity"


def test_cookies_are_not_sent_back() -> None:
    """A server cannot make the exporter remember anything."""

    async def ask() -> list[Asked]:
        answer = reply(200, {"data": True}, headers="Set-Cookie: id=1; Path=/\r\n")
        async with talking(always(answer)) as (transport, server):
            for _ in range(2):
                await transport.request(Endpoint.QUEUE_STATUS)
            return list(server.asked)

    assert ["cookie" in asked.headers for asked in run(ask())] == [False, False]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (UNAUTHORIZED, TargetRefused, "refused the credentials"),
        (problem(402, "TOTP code required", "A TOTP code is required"), TargetRefused, "second factor"),
        (FORBIDDEN, TargetForbidden, "message-queue-get"),
        (problem(403, "Forbidden", "Forbidden"), TargetRefused, "server.blocked-ip"),
        (NOT_FOUND, TargetUnsupported, "not found"),
        (
            problem(429, "Too Many Requests", "Your request has been rate limited."),
            TargetBusy,
            "limits the exporter's requests",
        ),
        (problem(429, "Too Many Authentication Attempts", "Please try again."), TargetRefused, "server.auto-ban"),
        (
            reply(
                400,
                {"type": "urn:ietf:params:jmap:error:limit", "status": 400, "limit": "maxConcurrentRequests"},
                content_type="application/problem+json",
            ),
            TargetBusy,
            "concurrent",
        ),
        (problem(400, "Invalid parameters", "Bad base64"), TargetServerError, "Bad base64"),
        (problem(500, "Internal Server Error", "Storage failure"), TargetServerError, "Storage failure"),
        (reply(502, HTML, content_type="text/html"), TargetServerError, "HTTP 502"),
        (reply(503, b"", content_type="text/plain"), TargetServerError, "HTTP 503"),
        (reply(302, b"", headers="Location: /login\r\n"), PayloadError, "redirect"),
        (reply(200, HTML, content_type="text/html"), PayloadError, "an HTML page"),
        (reply(200, b"  " + HTML), PayloadError, "an HTML page"),
        (reply(404, HTML, content_type="text/html"), PayloadError, "an HTML page"),
        (reply(204, b""), PayloadError, "status 204"),
        (reply(200, b""), PayloadError, "an empty response"),
        (reply(200, b'{"data": tru'), PayloadError, "truncated"),
        (reply(200, b'{"data": "\xff\xfe"}'), PayloadError, "not UTF-8"),
        (reply(200, b"[1, 2]"), PayloadError, "expected an object"),
        (reply(200, b"{}"), PayloadError, "data: missing"),
        (reply(200, b"[" * 20_000), PayloadError, "nested too deeply"),
        (reply(200, GOOD, headers="Content-Encoding: gzip\r\n"), PayloadError, "compressed"),
    ],
)
def test_answer_that_is_no_good_one_becomes_an_exception_of_ours(
    answer: bytes, kind: type[TargetError], words: str
) -> None:
    """Each kind of refusal, failure and nonsense has its place in the tree, and says what it is."""
    error = error_of(always(answer))

    assert type(error).__mro__[:-1].count(kind) == 1
    assert words in str(error)
    assert error.reason == kind.reason


@pytest.mark.parametrize(
    ("document", "kind", "status"),
    [
        ({"error": "unsupported", "details": "Enterprise feature"}, TargetUnsupported, "not_licensed"),
        (
            {"error": "other", "details": "No metrics store has been defined", "reason": "You need to configure one."},
            TargetUnsupported,
            "not_configured",
        ),
        (
            {"error": "unsupported", "details": "No metrics store has been configured"},
            TargetUnsupported,
            "not_configured",
        ),
        (
            {"error": "unsupported", "details": "No tracing store has been configured"},
            TargetUnsupported,
            "not_configured",
        ),
        ({"error": "unsupported", "details": "Tracer log path not configured"}, TargetUnsupported, "not_configured"),
        ({"error": "unsupported", "details": "Not here"}, TargetUnsupported, "unsupported"),
        ({"error": "notFound", "item": ""}, TargetUnsupported, "unsupported"),
        ({"error": "fieldAlreadyExists", "field": "name", "value": "exporter"}, TargetServerError, None),
        ({"error": "fieldMissing", "field": "name"}, TargetServerError, None),
        ({"error": "assertFailed"}, TargetServerError, None),
        ({"error": "other", "details": "Failed to read log files", "reason": None}, TargetServerError, None),
        ({"error": {"code": 7}}, TargetServerError, None),
        ({"error": None}, PayloadError, None),
    ],
)
def test_error_with_status_200_is_an_error(document: object, kind: type[TargetError], status: str | None) -> None:
    """What the management API reports in a body is not taken for an answer."""
    error = error_of(always(reply(200, document)))

    assert type(error) is kind
    if isinstance(error, TargetUnsupported):
        assert error.status == status


def test_missing_native_page_is_a_matter_of_configuration() -> None:
    """The page answers 404 while it is switched off, which is no lack of the server."""

    async def ask() -> None:
        async with talking(always(NOT_FOUND), native_credentials=NATIVE_LOGIN) as (transport, _):
            with pytest.raises(TargetUnsupported) as caught:
                await transport.request(Endpoint.NATIVE_METRICS, credentials=Login.NATIVE)
            assert caught.value.status == "not_configured"

    run(ask())


@pytest.mark.parametrize(
    ("header", "seconds"), [("", None), ("Retry-After: 7\r\n", 7.0), ("Retry-After: soon\r\n", None)]
)
def test_busy_server_may_say_for_how_long(header: str, seconds: float | None) -> None:
    """A delay that a proxy asks for is handed on; Stalwart itself names none."""
    answer = problem(429, "Too Many Requests", "Please try again in a few seconds.")
    error = error_of(always(answer.replace(b"Content-Length", header.encode() + b"Content-Length")))

    assert isinstance(error, TargetBusy)
    assert error.retry_after_seconds == seconds


def test_proxy_from_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail server credentials go to the mail server, whatever the environment says of proxies."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def ask() -> bytes:
        async with talking(always(GOOD)) as (transport, _):
            return await transport.request(Endpoint.QUEUE_STATUS)

    assert run(ask()) == b'{"data": true}'


def test_redirect_is_not_followed() -> None:
    """Credentials are not carried to wherever an answer points."""

    async def ask() -> int:
        async with (
            raw_server(always(GOOD)) as elsewhere,
            talking(always(reply(307, b"", headers=f"Location: {elsewhere.url}/\r\n"))) as (transport, _),
        ):
            with pytest.raises(PayloadError):
                await transport.request(Endpoint.QUEUE_STATUS)
            return elsewhere.connections

    assert run(ask()) == 0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (GOOD, ("queue_status", "200", 14)),
        (UNAUTHORIZED, ("queue_status", "401", len(UNAUTHORIZED.partition(b"\r\n\r\n")[2]))),
        (reply(500, b"no"), ("queue_status", "500", 2)),
    ],
)
def test_observer_hears_of_each_request_once(answer: bytes, expected: tuple[str, str, int]) -> None:
    """What a request cost is told by endpoint and status."""
    costs = Costs()

    async def ask() -> None:
        async with talking(always(answer), observer=costs) as (transport, _):
            with contextlib.suppress(TargetError):
                await transport.request(Endpoint.QUEUE_STATUS)

    run(ask())

    assert costs.requests == [expected]


@pytest.mark.parametrize(("handler", "status"), [(close_at_once, "unreachable"), (cut_counted, "cut")])
def test_observer_hears_of_requests_that_got_no_whole_answer(handler: Handler, status: str) -> None:
    """A request without a status is told as what became of it."""
    costs = Costs()
    error_of(handler, observer=costs)

    assert [request[1] for request in costs.requests] == [status]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://mx.example.org",
        "mx.example.org",
        "http://",
        "https://watcher:secret@mx.example.org",
        "https://mx.example.org/?token=x",
        "https://mx.example.org/#x",
    ],
)
def test_url_that_cannot_be_asked_is_refused_at_once(url: str) -> None:
    """A wrong address, above all one with a login in it, is an error of the settings; it is not quoted."""
    with pytest.raises(ValueError, match="url") as caught:
        transport_to(url)

    assert "secret" not in str(caught.value)


def test_path_of_a_proxy_stands_before_ours() -> None:
    """A server below a path is asked there."""

    async def ask() -> str:
        async with raw_server(always(GOOD)) as server:
            transport = transport_to(f"{server.url}/mail/")
            await transport.request(Endpoint.QUEUE_STATUS)
            await transport.aclose()
            return server.asked[0].target

    assert run(ask()) == "/mail/api/queue/status"
