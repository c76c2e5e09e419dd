"""How logins go over the wire."""

from __future__ import annotations

import base64

import pytest

from exporter.stalwart.http.allowlist import Endpoint
from exporter.stalwart.http.credentials import Basic, Bearer
from tests.support.servers.raw import (
    GOOD,
    always,
    run,
    talking,
)


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
