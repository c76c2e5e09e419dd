"""Basic authentication."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import bcrypt
import pytest
from starlette.types import Message

from exporter.web.config.basic_auth import (
    COST_LIMIT,
    WAITING_CHECKS,
    WAITING_CHECKS_OF_ADDRESS,
    Authenticator,
    TooManyLogins,
    check_password,
    hash_problem,
)
from exporter.web.config.document import WebConfig
from exporter.web.guard import Guard
from exporter.web.rate_limit import RateLimit, TokenBucket
from tests.support.web import HASH, Run, application, basic, browsing, serving


class CountingCheck:
    """bcrypt's check, counted."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.hashes.append(hashed)
        return check_password(password, hashed)


def authorization(name: str, password: str) -> bytes:
    return basic(name, password)["Authorization"].encode()


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


def test_a_good_password_is_hashed_once(run: Run):
    """Later requests, and those that come at the same time, do not pay for the hash again."""
    check = CountingCheck()
    authenticator = Authenticator({"prometheus": HASH}, check=check)
    good = authorization("prometheus", "s3cret")

    async def scenario() -> None:
        answers = await asyncio.gather(*(authenticator.allows(good) for _ in range(10)))
        answers += [await authenticator.allows(good) for _ in range(10)]

        assert all(answers)

    run(scenario())

    assert len(check.hashes) == 1


def test_a_wrong_password_does_not_displace_a_good_one(run: Run):
    """However many wrong ones are tried, the good one stays known and the wrong ones stay wrong."""
    check = CountingCheck()
    authenticator = Authenticator({"prometheus": HASH}, check=check)

    async def scenario() -> None:
        assert await authenticator.allows(authorization("prometheus", "s3cret"))
        for attempt in range(50):
            assert not await authenticator.allows(authorization("prometheus", f"wrong{attempt}"))
            assert not await authenticator.allows(authorization(f"nobody{attempt}", "s3cret"))
        assert await authenticator.allows(authorization("prometheus", "s3cret"))

    run(scenario())

    assert len(check.hashes) == 101


def test_an_unknown_user_costs_the_check_of_a_known_one(run: Run):
    """A name that is not there is checked against the costliest hash that is, so the time tells nothing."""
    check = CountingCheck()
    costly = bcrypt.hashpw(b"other", bcrypt.gensalt(5))
    authenticator = Authenticator({"prometheus": HASH, "admin": costly}, check=check)

    async def scenario() -> None:
        assert not await authenticator.allows(authorization("nobody", "other"))

    run(scenario())

    assert check.hashes == [costly]


def test_the_loop_runs_on_while_a_password_is_hashed(run: Run):
    """Other work proceeds during a check."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        proceeded = asyncio.Event()

        def check(password: bytes, hashed: bytes) -> bool:
            # Waits, on its thread, for something that only the loop can do.
            asyncio.run_coroutine_threadsafe(_set(proceeded), loop).result(timeout=20)
            return True

        async with asyncio.timeout(30):
            assert await Authenticator({"prometheus": HASH}, check=check).allows(authorization("prometheus", "x"))
        assert proceeded.is_set()

    async def _set(event: asyncio.Event) -> None:
        event.set()

    run(scenario())


def test_a_wrong_login_is_hashed_once(run: Run):
    """A scraper with an old password costs one check, however often it asks."""
    check = CountingCheck()
    authenticator = Authenticator({"prometheus": HASH}, check=check)

    async def scenario() -> None:
        for _ in range(5):
            assert not await authenticator.allows(authorization("prometheus", "old"))

    run(scenario())

    assert len(check.hashes) == 1


def test_logins_past_the_queue_are_refused_unchecked(run: Run):
    """No more than a few logins wait, fewer of one address, and a known one is let in meanwhile."""
    held = threading.Event()
    check = CountingCheck()

    def wait_and_check(password: bytes, hashed: bytes) -> bool:
        if password != b"s3cret":
            held.wait(60)
        return check(password, hashed)

    authenticator = Authenticator({"prometheus": HASH}, check=wait_and_check)

    async def scenario() -> None:
        assert await authenticator.allows(authorization("prometheus", "s3cret"))
        waiting = []
        for address in ("192.0.2.1", "192.0.2.2"):
            for number in range(WAITING_CHECKS_OF_ADDRESS):
                login = authorization("prometheus", f"{address}-{number}")
                waiting.append(asyncio.ensure_future(authenticator.allows(login, address=address)))
        await asyncio.sleep(0)

        for address in ("192.0.2.1", "192.0.2.3"):
            with pytest.raises(TooManyLogins):
                await authenticator.allows(authorization("prometheus", "more"), address=address)
        assert await authenticator.allows(authorization("prometheus", "s3cret"), address="192.0.2.1")
        held.set()
        assert not any(await asyncio.gather(*waiting))
        assert not await authenticator.allows(authorization("prometheus", "more"), address="192.0.2.1")

    run(scenario())

    assert len(check.hashes) == 1 + WAITING_CHECKS + 1


def test_other_users_leave_a_proven_password_proven(run: Run):
    """A reload makes nobody wait for a check whose hash stayed the same, and forgets whose hash changed."""
    check = CountingCheck()
    other = bcrypt.hashpw(b"other", bcrypt.gensalt(4))
    authenticator = Authenticator({"prometheus": HASH, "admin": HASH}, check=check)

    async def scenario() -> None:
        for name in ("prometheus", "admin"):
            assert await authenticator.allows(authorization(name, "s3cret"))
        authenticator.use({"prometheus": HASH, "admin": other})
        assert await authenticator.allows(authorization("prometheus", "s3cret"))
        assert not await authenticator.allows(authorization("admin", "s3cret"))

    run(scenario())

    assert check.hashes == [HASH, HASH, other]


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


def test_requests_beyond_the_rate_limit_are_refused(run: Run):
    """After the burst every request is a 429, but for a health check from this machine."""
    limited = Guard(
        application(), WebConfig(path=Path("web.yml"), rate_limit=RateLimit(interval_seconds=3600, burst=2))
    )

    async def scenario() -> None:
        async with serving(limited) as server, browsing(server) as client:
            statuses = [(await client.get("/metrics")).status_code for _ in range(3)]

            assert statuses == [200, 200, 429]
            assert (await client.get("/-/healthy")).status_code == 200

    run(scenario())


def test_a_token_is_earned_per_interval():
    """A bucket fills by one request for each interval, and never beyond its burst."""
    now = [0.0]
    bucket = TokenBucket(RateLimit(interval_seconds=2.0, burst=2), monotonic=lambda: now[0])

    assert [bucket.admits() for _ in range(3)] == [True, True, False]
    now[0] = 2.0
    assert [bucket.admits() for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert [bucket.admits() for _ in range(3)] == [True, True, False]


def test_configured_headers_stand_on_every_answer(run: Run):
    """They replace what a page sets itself, and are there on refusals too."""
    headers = ((b"content-security-policy", b"default-src 'self'"), (b"x-frame-options", b"deny"))
    guarded = Guard(application(), WebConfig(path=Path("web.yml"), users={"prometheus": HASH}, headers=headers))

    async def scenario() -> None:
        async with serving(guarded) as server, browsing(server) as client:
            refused = await client.get("/")
            shown = await client.get("/", headers=basic("prometheus", "s3cret"))

            for response in (refused, shown):
                assert response.headers.get_list("content-security-policy") == ["default-src 'self'"]
                assert response.headers["x-frame-options"] == "deny"

    run(scenario())
