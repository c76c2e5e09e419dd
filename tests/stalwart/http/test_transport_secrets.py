"""Nothing secret gets out, whatever a server says back."""

from __future__ import annotations

import asyncio
import base64
import logging
import traceback
from collections.abc import Iterator

import pytest

from exporter.stalwart.http.credentials import Basic, Bearer
from exporter.stalwart.http.transport import Transport
from tests.support.servers.raw import (
    LOGIN,
    NAME,
    SECRET,
    UNAUTHORIZED,
    Asked,
    Handler,
    always,
    close_at_once,
    cut_counted,
    error_of,
    problem,
    reply,
)


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
