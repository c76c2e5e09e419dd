"""Basic authentication."""

from __future__ import annotations

from pathlib import Path

import bcrypt
import pytest
from starlette.types import Message

from exporter.web.config.basic_auth import (
    COST_LIMIT,
    Authenticator,
    hash_problem,
)
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from tests.support.listener.app import HASH, Run, application, basic, browsing, serving
from tests.support.listener.logins import authorization


@pytest.mark.parametrize("path", ["/metrics", "/", "/-/healthy/", "/-/ready", "/-/reload", "/nothing"])
def test_every_page_asks_who_comes(run: Run, path):
    """Without credentials every path, known or not, is a 401 with a challenge."""
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}))

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server) as client:
            response = await client.get(path)

            assert response.status_code == 401
            assert response.headers["www-authenticate"].startswith('Basic realm="')

    run(scenario())


def test_health_needs_no_password_on_this_machine_alone(run: Run):
    """A request over loopback or to the machine's own address gets the health page, one from elsewhere a challenge."""
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}))
    statuses = []

    async def ask(client: str, server: str) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "GET", "path": "/-/healthy", "headers": [], "query_string": b""}
        await guarded({**scope, "client": (client, 5), "server": (server, 9787)}, receive, send)

    async def scenario() -> None:
        await ask("127.0.0.1", "127.0.0.1")
        await ask("::1", "::1")
        await ask("192.0.2.1", "192.0.2.1")
        await ask("192.0.2.2", "192.0.2.1")

    run(scenario())

    assert statuses == [200, 200, 200, 401]


def test_the_right_password_opens(run: Run):
    """Good credentials get the page itself, on the first request and on later ones."""
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}))

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server, auth=("prometheus", "s3cret")) as client:
            answers = [await client.get("/metrics") for _ in range(3)]

            assert [answer.status_code for answer in answers] == [200, 200, 200]

    run(scenario())


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic cHJvbWV0aGV1cw==",
        "Basic /////w==",
        "Bearer czNjcmV0",
        basic("prometheus", "")["Authorization"],
        basic("prometheus", "S3cret")["Authorization"],
        basic("prometheus", "s3cret ")["Authorization"],
        basic("prometheus", "s3cret\0")["Authorization"],
        basic("Prometheus", "s3cret")["Authorization"],
        basic("", "s3cret")["Authorization"],
        basic("nobody", "s3cret")["Authorization"],
        basic("prometheus", "x" * 5000)["Authorization"],
    ],
)
def test_anything_else_does_not_open(run: Run, header):
    """Wrong, broken or foreign credentials are a 401, never an error."""
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}))

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server) as client:
            response = await client.get("/metrics", headers={"Authorization": header})

            assert response.status_code == 401

    run(scenario())


def test_two_sets_of_credentials_do_not_open(run: Run):
    """A request that names two users is nobody's."""
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}))
    good = ("Authorization", basic("prometheus", "s3cret")["Authorization"])

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server) as client:
            response = await client.get("/metrics", headers=[good, good])

            assert response.status_code == 401

    run(scenario())


@pytest.mark.parametrize("prefix", [b"$2y$", b"$2a$", b"$2b$"])
def test_hashes_of_other_tools_are_read(run: Run, prefix):
    """The prefixes that htpasswd and others write mean the same hash."""
    authenticator = Authenticator({"prometheus": HASH.replace(b"$2b$", prefix)})

    async def scenario() -> None:
        assert await authenticator.allows(authorization("prometheus", "s3cret"))
        assert not await authenticator.allows(authorization("prometheus", "other"))

    run(scenario())


def test_a_long_password_counts_up_to_where_bcrypt_reads(run: Run):
    """Past 72 bytes a password is cut, as in the tools that make the hashes."""
    long = "p" * 72
    authenticator = Authenticator({"prometheus": bcrypt.hashpw(long.encode(), bcrypt.gensalt(4))})

    async def scenario() -> None:
        assert await authenticator.allows(authorization("prometheus", long + "tail"))
        assert not await authenticator.allows(authorization("prometheus", long[:-1]))

    run(scenario())


def test_a_password_with_a_colon_and_beyond_ascii_opens(run: Run):
    """Only the first colon parts the name from the password, and both are UTF-8."""
    authenticator = Authenticator({"jürgen": bcrypt.hashpw("pä:ss".encode(), bcrypt.gensalt(4))})

    async def scenario() -> None:
        assert await authenticator.allows(authorization("jürgen", "pä:ss"))

    run(scenario())


@pytest.mark.parametrize(
    ("hashed", "words"),
    [
        ("s3cret", "must be a bcrypt hash"),
        ("", "must be a bcrypt hash"),
        (HASH.decode()[:-1], "must be a bcrypt hash"),
        (HASH.decode() + "\n", "must be a bcrypt hash"),
        ("$2x$" + HASH.decode()[4:], "must be a bcrypt hash"),
        (HASH.decode().replace("$04$", "$03$"), "cost is 3"),
        (HASH.decode().replace("$04$", f"${COST_LIMIT + 1}$"), f"cost is {COST_LIMIT + 1}"),
    ],
)
def test_a_hash_that_cannot_serve_is_told_without_being_quoted(hashed, words):
    """A plain password or an excessive cost is refused in words that do not repeat it."""
    problem = hash_problem(hashed)

    assert problem is not None
    assert words in problem
    assert not hashed.strip() or hashed.strip() not in problem
