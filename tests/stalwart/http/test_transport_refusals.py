"""A wrong password goes out once."""

from __future__ import annotations

import asyncio

import pytest

from exporter.errors import (
    TargetError,
    TargetRefused,
)
from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.endpoint import Login
from tests.support.servers.raw import (
    FORBIDDEN,
    GOOD,
    LOGIN,
    NOT_FOUND,
    UNAUTHORIZED,
    Asked,
    always,
    problem,
    run,
    talking,
)


def test_wrong_password_goes_over_the_wire_once() -> None:
    """However many requests wait for it, the server hears one wrong password, and nothing after it."""

    async def ask() -> list[Asked]:
        async with talking(always(UNAUTHORIZED)) as (transport, server):
            results = await asyncio.gather(
                *(transport.request(Endpoint.QUEUE_STATUS) for _ in range(10)), return_exceptions=True
            )
            assert all(isinstance(result, TargetRefused) for result in results)
            with pytest.raises(TargetRefused, match="not sent"):
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
                with pytest.raises(TargetRefused, match="requires credentials"):
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
