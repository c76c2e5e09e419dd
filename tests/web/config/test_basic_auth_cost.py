"""What logins cost: passwords are hashed once, beside the loop, and behind a bounded queue."""

from __future__ import annotations

import asyncio
import threading

import bcrypt
import pytest

from exporter.web.config.basic_auth import (
    WAITING_CHECKS,
    WAITING_CHECKS_OF_ADDRESS,
    Authenticator,
    TooManyLogins,
    check_password,
)
from tests.support.listener.app import HASH, Run
from tests.support.listener.logins import authorization


class CountingCheck:
    """bcrypt's check, counted."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.hashes.append(hashed)
        return check_password(password, hashed)


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
