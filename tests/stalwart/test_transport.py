"""The one way to a server: what may be asked, what an answer means, and that nothing secret gets out."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import ssl
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.errors import (
    PayloadError,
    PayloadTooLarge,
    SettingsError,
    TargetBusy,
    TargetError,
    TargetForbidden,
    TargetRefused,
    TargetServerError,
    TargetTimeout,
    TargetTLSError,
    TargetUnreachable,
    TargetUnsupported,
)
from exporter.stalwart.allowlist import Endpoint, Login
from exporter.stalwart.credentials import Basic, Bearer
from exporter.stalwart.tls import client_context
from exporter.stalwart.transport import Transport
from tests.stalwart.raw_server import (
    FORBIDDEN,
    LOGIN,
    NAME,
    NATIVE_LOGIN,
    NOT_FOUND,
    SECRET,
    UNAUTHORIZED,
    Asked,
    Costs,
    Handler,
    always,
    needing_login,
    problem,
    raw_server,
    reply,
    run,
    talking,
    transport_to,
)
from tests.web.web_support import Authority

GOOD = reply(200, {"data": True})
HTML = b"<!DOCTYPE html><html><body>Welcome to nginx</body></html>"


def error_of(handler: Handler, *, endpoint: Endpoint = Endpoint.QUEUE_STATUS, **settings: object) -> TargetError:
    """What one request to such a server raises."""

    async def ask() -> TargetError:
        async with talking(handler, **settings) as (transport, _):
            with pytest.raises(TargetError) as caught:
                await transport.request(endpoint)
            return caught.value

    return run(ask())


def test_good_answer_is_handed_over_as_it_came() -> None:
    """The body of a 200 comes back unchanged, and the request carries the login and wants no compression."""

    async def ask() -> tuple[bytes, Asked]:
        async with talking(needing_login(GOOD)) as (transport, server):
            return await transport.request(Endpoint.QUEUE_STATUS), server.asked[0]

    body, asked = run(ask())

    assert body == b'{"data": true}'
    assert (asked.method, asked.target, asked.login) == ("GET", "/api/queue/status", (NAME, SECRET))
    assert asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (UNAUTHORIZED, TargetRefused, "refused our credentials"),
        (problem(402, "TOTP code required", "A TOTP code is required"), TargetRefused, "second factor"),
        (FORBIDDEN, TargetForbidden, "message-queue-get"),
        (problem(403, "Forbidden", "Forbidden"), TargetRefused, "server.blocked-ip"),
        (NOT_FOUND, TargetUnsupported, "does not have it"),
        (problem(429, "Too Many Requests", "Your request has been rate limited."), TargetBusy, "limits our requests"),
        (problem(429, "Too Many Authentication Attempts", "Please try again."), TargetRefused, "server.auto-ban"),
        (
            reply(
                400,
                {"type": "urn:ietf:params:jmap:error:limit", "status": 400, "limit": "maxConcurrentRequests"},
                content_type="application/problem+json",
            ),
            TargetBusy,
            "at once",
        ),
        (problem(400, "Invalid parameters", "Bad base64"), TargetServerError, "Bad base64"),
        (problem(500, "Internal Server Error", "Storage failure"), TargetServerError, "Storage failure"),
        (reply(502, HTML, content_type="text/html"), TargetServerError, "HTTP 502"),
        (reply(503, b"", content_type="text/plain"), TargetServerError, "HTTP 503"),
        (reply(302, b"", headers="Location: /login\r\n"), PayloadError, "redirect"),
        (reply(200, HTML, content_type="text/html"), PayloadError, "a page for people"),
        (reply(200, b"  " + HTML), PayloadError, "a page for people"),
        (reply(404, HTML, content_type="text/html"), PayloadError, "a page for people"),
        (reply(204, b""), PayloadError, "status 204"),
        (reply(200, b""), PayloadError, "an empty answer"),
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


async def close_at_once(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset_at_once(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def cut_counted(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{"data": [')
    writer.close()


async def cut_chunked(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"data": [1, 2,\r\n')
    writer.close()


async def cut_head(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    writer.close()


async def talk_something_else(_: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x15\x03\x03\x00\x02\x02\x46\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (close_at_once, "server.blocked-ip"),
        (reset_at_once, "server.auto-ban"),
        (close_at_once, "one side speaks TLS"),
        (cut_head, "server.blocked-ip"),
        (cut_counted, "cut short"),
        (cut_chunked, "cut short"),
        (talk_something_else, "something else than HTTP"),
    ],
)
def test_broken_connection_is_unreachable_and_names_what_it_may_be(handler: Handler, words: str) -> None:
    """A ban and a mix-up of TLS and plain HTTP look like this, so the text names both."""
    error = error_of(handler)

    assert type(error) is TargetUnreachable
    assert words in str(error)
    assert "127.0.0.1" not in str(error)


def test_port_that_nobody_listens_on_is_unreachable_without_its_address() -> None:
    """The system's words are quoted without the address that they hold."""

    async def ask() -> str:
        async with raw_server(always(GOOD)) as server:
            url = server.url
        transport = transport_to(url)
        with pytest.raises(TargetUnreachable) as caught:
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()
        return str(caught.value)

    text = run(ask())

    assert "refused" in text
    assert "127.0.0.1" not in text


def test_name_that_does_not_resolve_is_unreachable() -> None:
    """A wrong host name is named as such."""

    async def ask() -> None:
        transport = transport_to("http://no-such-host.invalid")
        with pytest.raises(TargetUnreachable, match=r"does not resolve|no connection"):
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()

    run(ask())


def test_silent_server_meets_the_read_deadline() -> None:
    """A server that never answers costs the read time-out, not forever."""

    async def say_nothing(_: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    costs = Costs()
    error = error_of(say_nothing, read_timeout_seconds=0.1, observer=costs)

    assert type(error) is TargetTimeout
    assert costs.requests == [("queue_status", "timeout", 0)]


def test_dripping_server_meets_the_deadline_of_the_whole_call() -> None:
    """A byte now and then keeps no request alive."""

    async def drip(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    error = error_of(drip, read_timeout_seconds=30.0, total_timeout_seconds=0.3)

    assert type(error) is TargetTimeout


def test_announced_body_past_the_limit_is_not_read() -> None:
    """A length that is too large ends the request before its body."""
    costs = Costs()

    async def announce(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
        await asyncio.Event().wait()

    error = error_of(announce, max_body_bytes=1000, observer=costs)

    assert type(error) is PayloadTooLarge
    assert costs.requests == [("queue_status", "too_large", 0)]


def test_endless_body_is_cut_at_the_limit() -> None:
    """A body without a length is read up to the limit and no further."""
    costs = Costs()

    async def pour(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    error = error_of(pour, max_body_bytes=300_000, observer=costs)

    assert type(error) is PayloadTooLarge
    ((_, status, received),) = costs.requests
    assert status == "too_large"
    assert 300_000 < received < 3_000_000


def test_connection_works_again_after_a_body_that_was_too_large() -> None:
    """What is left of an unread body is not taken for the next answer."""

    async def ask() -> tuple[bytes, int]:
        async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(reply(200, {"data": "x" * 5000}) if asked.connection == 1 else GOOD)

        async with talking(handle, max_body_bytes=1000) as (transport, server):
            with pytest.raises(PayloadTooLarge):
                await transport.request(Endpoint.QUEUE_STATUS)
            return await transport.request(Endpoint.QUEUE_STATUS), server.connections

    assert run(ask()) == (b'{"data": true}', 2)


def test_text_that_does_not_tell_its_end_is_refused() -> None:
    """A page of counters that was cut between two lines would look whole, so it must say how long it is."""

    async def ask() -> None:
        async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsmtp_ehlo 12")
            writer.close()

        async with talking(handle) as (transport, _):
            with pytest.raises(PayloadError, match="does not tell its end"):
                await transport.request(Endpoint.NATIVE_METRICS, credentials=Login.NONE)

    run(ask())


def test_connection_is_kept_between_requests() -> None:
    """Two requests take one connection."""

    async def ask() -> int:
        async with talking(always(GOOD)) as (transport, server):
            await transport.request(Endpoint.QUEUE_STATUS)
            await transport.request(Endpoint.QUEUE_STATUS)
            return server.connections

    assert run(ask()) == 1


def test_server_is_asked_one_thing_at_a_time() -> None:
    """Requests that are made together go one after the other."""

    async def ask() -> tuple[int, int]:
        async def handle(_: Asked, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0)
            writer.write(GOOD)

        async with talking(handle) as (transport, server):
            await asyncio.gather(*(transport.request(Endpoint.QUEUE_STATUS) for _ in range(8)))
            return len(server.asked), server.most_at_once

    assert run(ask()) == (8, 1)


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


# --- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ca")


def server_context(authority: Authority, san: str) -> ssl.SSLContext:
    identity = authority.issue("server", san)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.cert, identity.key)
    return context


async def _asked_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> bytes:
    async with raw_server(always(GOOD), tls=server_tls) as server:
        transport = transport_to(server.url, tls=client_tls)
        try:
            return await transport.request(Endpoint.QUEUE_STATUS)
        finally:
            await transport.aclose()


def test_certificate_of_a_private_authority_is_accepted(authority: Authority) -> None:
    """A custom authority is enough."""
    body = run(_asked_over_tls(server_context(authority, "IP:127.0.0.1"), client_context(ca_file=Path(authority.cert))))

    assert body == b'{"data": true}'


@pytest.mark.parametrize("san", ["IP:127.0.0.1", "DNS:elsewhere.example"])
def test_certificate_that_does_not_convince_is_a_tls_error(authority: Authority, san: str) -> None:
    """An unknown issuer and a foreign name are refused, in words."""
    trusted = client_context(ca_file=Path(authority.cert)) if san.startswith("DNS") else client_context()

    with pytest.raises(TargetTLSError, match="not trusted"):
        run(_asked_over_tls(server_context(authority, san), trusted))


def test_checking_can_be_turned_off(authority: Authority) -> None:
    """Only explicitly."""
    context = client_context(verify=False)

    assert run(_asked_over_tls(server_context(authority, "DNS:elsewhere.example"), context)) == b'{"data": true}'


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b""])
def test_tls_to_a_plain_port_says_so(answer: bytes) -> None:
    """The commonest mistake of all is named, since it counts towards a ban."""

    async def take_for_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    async def ask() -> None:
        server = await asyncio.start_server(take_for_http, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        transport = transport_to(f"https://127.0.0.1:{port}", tls=client_context(verify=False))
        with pytest.raises((TargetTLSError, TargetUnreachable), match="plain HTTP"):
            await transport.request(Endpoint.QUEUE_STATUS)
        await transport.aclose()
        server.close()
        await server.wait_closed()

    run(ask())


def test_handshake_that_nobody_answers_meets_the_connect_deadline() -> None:
    """A port that accepts and is silent costs the connect time-out; the text names the mix-up as a cause."""

    async def ask() -> None:
        async with raw_server(always(GOOD)) as server:
            url = server.url.replace("http:", "https:")
            transport = transport_to(url, tls=client_context(verify=False), connect_timeout_seconds=0.1)
            with pytest.raises(TargetTimeout, match="TLS"):
                await transport.request(Endpoint.QUEUE_STATUS)
            await transport.aclose()

    run(ask())


def test_plain_http_to_a_tls_port_names_the_mix_up(authority: Authority) -> None:
    """The other way round it is an unreachable server, with the same hint."""

    async def ask() -> None:
        async with raw_server(always(GOOD), tls=server_context(authority, "IP:127.0.0.1")) as server:
            transport = transport_to(server.url.replace("https:", "http:"))
            with pytest.raises(TargetUnreachable, match="TLS"):
                await transport.request(Endpoint.QUEUE_STATUS)
            await transport.aclose()

    run(ask())


def test_unreadable_authority_is_an_error_of_the_settings(tmp_path: Path) -> None:
    """A file that holds no certificate is reported with its path."""
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")

    with pytest.raises(SettingsError, match=r"ca\.pem"):
        client_context(ca_file=path)


# --- Refused credentials


def test_wrong_password_goes_over_the_wire_once() -> None:
    """However many requests wait for it, the server hears one wrong password, and nothing after it."""

    async def ask() -> list[Asked]:
        async with talking(always(UNAUTHORIZED)) as (transport, server):
            results = await asyncio.gather(
                *(transport.request(Endpoint.QUEUE_STATUS) for _ in range(10)), return_exceptions=True
            )
            assert all(isinstance(result, TargetRefused) for result in results)
            with pytest.raises(TargetRefused, match="not asked"):
                await transport.request(Endpoint.LOGS, params={"limit": 1})
            return server.asked

    assert len(run(ask())) == 1


@pytest.mark.parametrize(
    "answer",
    [
        problem(402, "TOTP code required", "A TOTP code is required"),
        problem(429, "Too Many Authentication Attempts", "Please try again in a few minutes."),
    ],
)
def test_other_refusals_end_the_asking_too(answer: bytes) -> None:
    """A second factor and the answer that announces a ban are as final as a 401."""

    async def ask() -> int:
        async with talking(always(answer)) as (transport, server):
            for _ in range(3):
                with pytest.raises(TargetRefused):
                    await transport.request(Endpoint.QUEUE_STATUS)
            return len(server.asked)

    assert run(ask()) == 1


def test_refusal_is_heard_although_its_body_never_ends() -> None:
    """The status line alone stops us from sending the password again."""

    async def refuse_slowly(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000\r\n\r\n{")
        await asyncio.Event().wait()

    async def ask() -> int:
        async with talking(refuse_slowly, read_timeout_seconds=0.1) as (transport, server):
            for _ in range(3):
                with pytest.raises(TargetRefused):
                    await transport.request(Endpoint.QUEUE_STATUS)
            return len(server.asked)

    assert run(ask()) == 1


@pytest.mark.parametrize("answer", [FORBIDDEN, NOT_FOUND, problem(429, "Too Many Requests", "Slow down.")])
def test_other_errors_do_not_end_the_asking(answer: bytes) -> None:
    """A missing permission or a rate limit says nothing against the password."""

    async def ask() -> int:
        async with talking(always(answer)) as (transport, server):
            for _ in range(3):
                with pytest.raises(TargetError):
                    await transport.request(Endpoint.QUEUE_STATUS)
            return len(server.asked)

    assert run(ask()) == 3


def test_new_credentials_are_tried_and_the_old_stay_refused() -> None:
    """A changed secret is asked with at once; the refused one is not, even if it comes back."""

    async def ask() -> list[tuple[str, str] | None]:
        async with talking(needing_login(GOOD), credentials=Basic(NAME, "wrong")) as (transport, server):
            with pytest.raises(TargetRefused):
                await transport.request(Endpoint.QUEUE_STATUS)
            transport.replace_credentials(LOGIN)
            await transport.request(Endpoint.QUEUE_STATUS)
            transport.replace_credentials(Basic(NAME, "wrong"))
            with pytest.raises(TargetRefused):
                await transport.request(Endpoint.QUEUE_STATUS)
            return [asked.login for asked in server.asked]

    assert run(ask()) == [(NAME, "wrong"), (NAME, SECRET)]


def test_operator_may_have_the_same_credentials_tried_again() -> None:
    """A reload lifts the refusal, for one more try."""

    async def ask() -> int:
        async with talking(always(UNAUTHORIZED)) as (transport, server):
            for _ in range(2):
                with pytest.raises(TargetRefused):
                    await transport.request(Endpoint.QUEUE_STATUS)
            transport.allow_retry()
            for _ in range(2):
                with pytest.raises(TargetRefused):
                    await transport.request(Endpoint.QUEUE_STATUS)
            return len(server.asked)

    assert run(ask()) == 2


def test_refused_login_of_the_native_page_does_not_stop_the_api() -> None:
    """The two logins of a server are refused apart."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(UNAUTHORIZED if asked.path == "/metrics/prometheus" else GOOD)

    async def ask() -> list[str]:
        async with talking(handle, native_credentials=LOGIN) as (transport, server):
            for _ in range(2):
                with pytest.raises(TargetRefused):
                    await transport.request(Endpoint.NATIVE_METRICS, credentials=Login.NATIVE)
            await transport.request(Endpoint.QUEUE_STATUS)
            return [asked.path for asked in server.asked]

    assert run(ask()) == ["/metrics/prometheus", "/api/queue/status"]


def test_request_without_credentials_goes_on_after_a_refusal() -> None:
    """Probing needs no password and so cannot wear one out."""

    async def ask() -> int:
        async with talking(always(UNAUTHORIZED)) as (transport, server):
            with pytest.raises(TargetRefused):
                await transport.request(Endpoint.QUEUE_STATUS)
            for _ in range(2):
                with pytest.raises(TargetRefused, match="wants credentials"):
                    await transport.request(Endpoint.QUEUE_STATUS, credentials=Login.NONE)
            return len(server.asked)

    assert run(ask()) == 3


def test_server_without_configured_credentials_is_not_asked() -> None:
    """No login, no request."""

    async def ask() -> int:
        async with talking(always(GOOD), credentials=None) as (transport, server):
            with pytest.raises(TargetRefused, match="no credentials are configured"):
                await transport.request(Endpoint.QUEUE_STATUS)
            return len(server.asked)

    assert run(ask()) == 0


# --- Secrets


def secrets_of(name: str, secret: str) -> list[str]:
    return [secret, base64.b64encode(f"{name}:{secret}".encode()).decode()]


def echoes() -> Iterator[Handler]:
    """Servers that say back what they were told."""

    async def in_detail(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(problem(500, "Internal Server Error", f"header {asked.headers['authorization']} by {asked.login}"))

    async def in_error(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(200, {"error": "other", "details": str(asked.headers), "reason": str(asked.login)}))

    async def in_title(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(problem(400, f"bad login {asked.login}", ""))

    async def in_no_http(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"you said {asked.headers['authorization']} {asked.login}\r\n\r\n".encode())
        writer.close()

    yield from (in_detail, in_error, in_title, in_no_http)


@pytest.mark.parametrize("handler", [*echoes(), always(UNAUTHORIZED), close_at_once, cut_counted])
def test_no_secret_gets_into_an_exception_or_a_log(handler: Handler, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where the server repeats it, and not with every library logging all it can."""
    caplog.set_level(logging.DEBUG)
    error = error_of(handler)

    told = "".join(traceback.format_exception(error))
    logged = "".join(record.getMessage() for record in caplog.records if record.name != "asyncio")
    for secret in secrets_of(NAME, SECRET):
        assert secret not in str(error)
        assert secret not in told
        assert secret not in logged
    assert not [record for record in caplog.records if record.name.startswith(("httpx", "httpcore", "h11"))]


def test_mail_addresses_in_an_answer_are_not_quoted() -> None:
    """An error text of the server may name people."""
    error = error_of(always(problem(500, "Internal Server Error", "no mailbox <bob@example.org> for you")))

    assert "bob" not in str(error)
    assert "no mailbox" in str(error)


@pytest.mark.parametrize("login", [LOGIN, Bearer("tok-S3cr3t")])
def test_credentials_do_not_show(login: Basic | Bearer) -> None:
    """However they are printed."""
    assert repr(login) == "***"
    assert "S3cr3t" not in f"{login} {login!r} {[login]} {vars(Transport)}"


# --- Credentials


async def header_sent_for(login: Basic | Bearer) -> str:
    async with talking(always(GOOD), credentials=login) as (transport, server):
        await transport.request(Endpoint.QUEUE_STATUS)
        return server.asked[0].headers["authorization"]


def test_api_key_token_is_sent_as_basic() -> None:
    """As Bearer it would count against the limit of anonymous requests, from v0.13.2 to v0.15.5."""
    token = "api_" + base64.b64encode(b"exporter:s3cret:with:colons").decode()

    scheme, _, value = run(header_sent_for(Bearer(token))).partition(" ")

    assert scheme == "Basic"
    assert base64.b64decode(value) == b"exporter:s3cret:with:colons"
    assert Bearer(token).account_name() == "exporter"


@pytest.mark.parametrize("token", ["eyJhbGciOi.xx-yy_zz", "api_!!!", "api_" + base64.b64encode(b"nocolon").decode()])
def test_other_tokens_are_sent_as_bearer(token: str) -> None:
    """An OAuth token is what it is, and so is what only looks like a key."""
    assert run(header_sent_for(Bearer(token))) == f"Bearer {token}"
    assert Bearer(token).account_name() is None


def test_account_is_named_as_the_log_of_the_server_names_it() -> None:
    """Trimmed and in lower case."""
    assert transport_account(Basic(" Watcher ", "x")) == "watcher"


def transport_account(login: Basic) -> str | None:
    async def ask() -> str | None:
        async with talking(always(GOOD), credentials=login) as (transport, _):
            return transport.account_name

    return run(ask())


@pytest.mark.parametrize(("name", "secret"), [("", "x"), ("  ", "x"), ("a:b", "x"), ("a", "")])
def test_basic_login_that_cannot_be_sent_is_refused(name: str, secret: str) -> None:
    """Before it goes anywhere."""
    with pytest.raises(ValueError, match="is needed"):
        Basic(name, secret)


@pytest.mark.parametrize("token", ["", "with blank", "line\r\nX-Injected: 1", "schlüssel"])
def test_token_that_cannot_be_sent_is_refused_unseen(token: str) -> None:
    """A token that would break the header is not even quoted."""
    with pytest.raises(ValueError, match="visible ASCII") as caught:
        Bearer(token)

    assert not token or token not in str(caught.value)
